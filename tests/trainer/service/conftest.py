"""Servers in this process are silent: their lines would end up in the output of commands that tests read."""

import logging

import pytest
import structlog


@pytest.fixture(scope="session", autouse=True)
def _no_log_of_servers_in_this_process() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
