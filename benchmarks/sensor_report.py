"""How docs/results.md and docs/sensor.md tell what the sensor costs its board."""

from collections.abc import Mapping


def sentence(of: Mapping[str, float]) -> str:
    """The claim."""
    return (
        f"The running sensor holds {max(of['rss_mib_single'], of['rss_mib_batch16']):.0f} MiB, has its first frame "
        f"safe {of['start_seconds']:.2f} s after its start, and makes, encodes and spools a 224 x 224 frame of a "
        f"640 x 480 picture in {of['cpu_vs_pillow_disk']:.2f} times the processor time of Pillow's `resize` and "
        f"`save`."
    )


def table(of: Mapping[str, float]) -> str:
    """What it costs by itself, then beside curl and libjpeg on the same pictures."""
    rows = {
        "memory (RSS) as the unit starts it, frames sent one by one": f"{of['rss_mib_single']:.1f} MiB",
        "memory (RSS), frames sent in batches of 16": f"{of['rss_mib_batch16']:.1f} MiB",
        "memory (RSS), with the extra [http2] installed": f"{of['rss_mib_http2']:.1f} MiB",
        "from the start of the program to the first frame on disk": f"{of['start_seconds']:.2f} s",
        "processor a frame: resize, encode, spool": _milliseconds(of["cpu_us_ours_disk"]),
        "of it encode": _milliseconds(of["cpu_us_encode_disk"]),
        "of it spool": _milliseconds(of["cpu_us_spool_disk"]),
        "Pillow: `resize` (bicubic), `save`": _milliseconds(of["cpu_us_pillow_disk"]),
        "Pillow: `resize` (Lanczos, as ours), `save`": _milliseconds(of["cpu_us_pillow_lanczos_disk"]),
        "waiting for the disk, a frame": f"{of['fsync_ms']:.2f} ms",
    }
    lines = ["| the sensor | |", "|---|---:|", *(f"| {words} | {value} |" for words, value in rows.items())]
    return "\n".join([*lines, "", *_beside_curl(of)]) + "\n"


def _beside_curl(of: Mapping[str, float]) -> list[str]:
    ways = {
        "curl_each": "a `cjpeg` and a `curl` for each",
        "curl_once": "a `cjpeg` for each, one `curl` for all",
        "single": "**`dctwire-sensor run`**, one by one",
        "batch16": "**`dctwire-sensor run`**, in batches of 16",
    }
    lines = [
        "| the same pictures of 224 x 224, the same steps | bytes a frame, HTTP both ways | processor a frame |",
        "|---|---:|---:|",
    ]
    return lines + [
        f"| {words} | {of[f'wire_bytes_{way}']:,.0f} | {of[f'cpu_ms_{way}']:.2f} ms |" for way, words in ways.items()
    ]


def _milliseconds(microseconds: float) -> str:
    return f"{microseconds / 1000:.2f} ms"
