"""Where `dctwire-trainer` starts: it may be typed where its packages were never installed."""

from shared.command_line import run_program


def main() -> None:
    """Entry point."""
    run_program("trainer.app", extra="train")
