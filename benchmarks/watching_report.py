"""What watching a server costs it, in words: scrapes, the console, and what every frame pays for being watched."""

from collections.abc import Mapping

Figures = Mapping[str, float]


def of_scrapes(of: Figures) -> str:
    """What Prometheus costs."""
    return (
        f"A scrape of a server with 10,000 devices and 20 versions takes {1e3 * of['seconds_p50_plain']:.0f} ms at the "
        f"median, {1e3 * of['cpu_seconds_plain']:.0f} ms of them processor time, and is "
        f"{of['bytes_plain'] / 1e3:.0f} kB long, {of['bytes_gzip'] / 1e3:.0f} kB compressed."
    )
