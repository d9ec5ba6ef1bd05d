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


def of_monitoring(of: Figures) -> str:
    """What each frame pays for metrics, drift, estimates and baselines."""
    return (
        f"With metrics, drift, estimates and baselines on, a frame costs {of['single_us_watching']:.0f} us of the "
        f"server's processor posted singly and {of['batch32_us_watching']:.0f} us in batches of 32: "
        f"{of['single_cost_percent']:+.1f} % and {of['batch32_cost_percent']:+.1f} % against the same server without "
        f"them, where two servers without them differ from their mean by {of['single_noise_percent']:.1f} and "
        f"{of['batch32_noise_percent']:.1f} %."
    )


def of_console(of: Figures) -> str:
    """What the operator's pages cost."""
    pages = {name.removeprefix("page_cpu_ms_"): ms for name, ms in of.items() if name.startswith("page_cpu_ms_")}
    dearest = max(pages, key=lambda name: pages[name])
    heaviest = max(size for name, size in of.items() if name.startswith("first_load_bytes_"))
    painted = f" The overview is painted first after {of['first_paint_ms']:.0f} ms." if "first_paint_ms" in of else ""
    return (
        f"With 10,000 devices a page takes {min(pages.values()):.0f} to {pages[dearest]:.0f} ms of the server's "
        f"processor ({dearest} the most), and at most {heaviest / 1e3:.0f} kB when it is loaded first, with "
        f"everything that it needs.{painted} With 20 overviews open, a frame costs "
        f"{100 * (of['frame_us_ratio'] - 1):+.1f} % (median of pairs), beside "
        f"{of['idle_ms_a_second_with_open_consoles'] - of['idle_ms_a_second_without']:.1f} ms a second for keeping "
        "them up to date."
    )
