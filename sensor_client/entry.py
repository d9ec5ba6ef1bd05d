"""Where `dctwire-sensor` starts: it may be typed where its packages were never installed."""

from shared.command_line import run_program


def main() -> None:
    """Entry point."""
    run_program("sensor_client.app", extra="sensor", needs="PIL")
