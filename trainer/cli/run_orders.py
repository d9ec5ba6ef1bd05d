"""`dctwire-trainer run-orders`: the child's side of `trainer.job_process`."""

import sys

import typer

from trainer import job_process
from trainer.cli.program import Program


def run_orders(context: typer.Context) -> None:
    """Do the jobs that standard input orders, as `ladder` asks its processes to."""
    assignment = job_process.read(sys.stdin.buffer.read())
    job_process.run_here(assignment.orders, Program.of(context).machine(assignment.data_dir, assignment.cache_dir))
