"""Logging for the sensor: to stderr, for people on a terminal, as JSON lines otherwise."""

import logging
import sys
import warnings

import structlog


def configure(level_name: str) -> None:
    """Set structlog up. No token and no claim code is ever handed to a logger."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # lines of text among JSON; `shared.pictures` judges pictures
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level_name.upper()]),
        # looked up anew each time: a progress bar puts its own stream in sys.stderr's place while it is drawn
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
