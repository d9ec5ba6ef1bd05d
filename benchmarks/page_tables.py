"""Tables of records that stand on pages of their own, beside docs/results.md."""

from collections.abc import Mapping

Figures = Mapping[str, float]


def installing_table(figures: Figures) -> str:
    """What each program needs: its extra, the download, the disk, the seconds."""
    rows = [
        "| program | extra | to download | on disk | to install, seconds of a core |",
        "|---|---|---:|---:|---:|",
    ]
    for name, program, extra in (
        ("operator", "`dctwire`", "none"),
        ("sensor", "`dctwire-sensor`", "`[sensor]`"),
        ("cloud", "`dctwire-server`", "`[cloud]`"),
        ("train", "`dctwire-trainer`, PyTorch for CPUs", "`[train]`"),
        ("train-cuda", "`dctwire-trainer`, PyTorch with CUDA", "`[train]`"),
    ):
        download, disk = (f"{figures[f'{part}_bytes_{name}'] / 1e6:.0f} MB" for part in ("download", "disk"))
        rows.append(f"| {program} | {extra} | {download} | {disk} | {figures[f'seconds_{name}']:.0f} s |")
    return "\n".join(rows) + "\n"


def demo_table(figures: Figures) -> str:
    """Bytes a frame and accuracy of the three ways to send the same frames."""
    whole = figures["wire_bytes_standard"]
    rows = [
        "| the same frames as | JPEG stream | of it scan | on the wire, HTTP included | saving | accuracy |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for key, words, stream in (
        ("standard", "ordinary JPEG files, one by one", "jfif_bytes_standard"),
        ("v1", "**v1**: standard tables", "stream_bytes_v1"),
        ("v2", "**v2**: learned tables", "stream_bytes_v2"),
    ):
        wire = figures[f"wire_bytes_{key}"]
        saving = "" if key == "standard" else f"**{1 - wire / whole:.0%}**"
        rows.append(
            f"| {words} | {figures[stream]:.0f} B | {figures[f'scan_bytes_{key}']:.0f} B | {wire:.0f} B "
            f"| {saving} | {figures[f'accuracy_{key}']:.1%} |"
        )
    return "\n".join(rows) + "\n"
