"""`dctwire-trainer run-order`: the child's side of `trainer.job_process`."""

import sys

import typer

from trainer import job_process
from trainer.cli.program import Program


def run_order(context: typer.Context) -> None:
    """Do the job that standard input orders, as `ladder` asks its processes to."""
    assignment = job_process.read(sys.stdin.buffer.read())
    job_process.do(assignment.order, Program.of(context).machine(assignment.data_dir, assignment.cache_dir))
