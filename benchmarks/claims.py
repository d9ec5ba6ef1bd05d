"""What each record shows, for people: one sentence, one picture, one short table; docs/results.md is made of these."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import (
    baselines_report,
    codec_report,
    drift_report,
    fleet_report,
    rate_accuracy_report,
    resized_report,
    rollout_gates_report,
    sensor_report,
    serving_vs_peers_report,
    transcode_report,
    update_bytes_report,
    watching_report,
    wire_bytes_report,
)
from benchmarks.page_tables import demo_table, installing_table
from benchmarks.record import ROOT

Figures = Mapping[str, float]
IMAGES = ROOT / "docs" / "images"
SIZES_PX = (32, 64, 224)


@dataclass(frozen=True)
class Bar:
    """One bar of a picture: what it stands for, its figure, and whether it is ours."""

    words: str
    value: float
    is_ours: bool


@dataclass(frozen=True)
class Claim:
    """A claim and what carries it.

    Args:
        sentence: the claim, its numbers put in from the figures.
        table: rows in Markdown; a table that brings its own picture needs none beside.
        picture: the name of a file in docs/images/.
        bars: what `make results` draws there; without it a benchmark draws the picture itself.
    """

    title: str
    sentence: Callable[[Figures], str]
    table: Callable[[Figures], str] | None = None
    picture: str | None = None
    bars: Callable[[Figures], Sequence[Bar]] | None = None
    bars_say: str = ""


def rows_by_size(figures: Figures, heading: str, rows: Mapping[str, str]) -> str:
    """A row a name of a figure with `{px}` in it, a column a size; empty where nothing was measured."""
    lines = [f"| {heading} | {' | '.join(f'{px} px' for px in SIZES_PX)} |", "|---|---:|---:|---:|"]
    for words, key in rows.items():
        cells = [figures.get(key.format(px=px)) for px in SIZES_PX]
        lines.append(f"| {words} | {' | '.join('' if cell is None else shown(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def shown(value: float) -> str:
    """Three digits that count, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _data_path(figures: Figures) -> str:
    rows = {
        "coefficients, from memory": "coefficients_vs_step_{px}px",
        "**levels**, from memory": "levels_vs_step_{px}px",
        "levels, from JPEG files": "files_vs_step_{px}px",
    }
    return rows_by_size(figures, "times faster than the training step", rows)


def _int8(figures: Figures) -> str:
    rows = {
        "**dctwire's net**, int8 over float32": "dct_int8_vs_dct_{px}px_batch8",
        "the net on pixels, int8 over float32": "pixels_int8_vs_pixels_{px}px_batch8",
        "dctwire's net over the net on pixels, both int8": "dct_int8_vs_pixels_int8_{px}px_batch8",
    }
    return rows_by_size(figures, "times faster, in batches of 8", rows)


def _serving_nets(figures: Figures) -> str:
    rows = {
        "**on levels**": "ms_{px}px_dct",
        "on pixels rebuilt in the graph": "ms_{px}px_rebuilding",
        "on ready pixels": "ms_{px}px_pixels",
    }
    return rows_by_size(figures, "milliseconds a picture", rows)


def _serving(figures: Figures) -> str:
    lines = [
        "| single posts over | frames a second | p50, ms | p99, ms | overhead a frame, us |",
        "|---|---:|---:|---:|---:|",
    ]
    for connections, overhead in ((1, "_1_connections"), (8, ""), (64, "_64_connections")):
        keys = [f"single_{connections}_connections_{name}" for name in ("fps", "p50_ms", "p99_ms")]
        cells = [shown(figures[key]) for key in [*keys, f"single_post_overhead_us{overhead}"]]
        lines.append(f"| {connections} connection{'s' if connections > 1 else ''} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _soak(figures: Figures) -> str:
    lines = ["| server | minutes | requests | failed | memory grown once warmed up, MiB |", "|---|---:|---:|---:|---:|"]
    for words, side in (("**dctwire**", "server"), ("one made to leak 1 KiB a request", "control")):
        keys = ("minutes", "requests", "failed_requests", "rss_growth_mib")
        lines.append(f"| {words} | {' | '.join(shown(figures[f'{side}_{key}']) for key in keys)} |")
    return "\n".join(lines) + "\n"


def _synthetic(figures: Figures) -> str:
    tables = {"q": "standard tables, quality", "b": "learned tables, budget"}
    lines = ["| tables | scan bytes a frame | accuracy |", "|---|---:|---:|"]
    for key, scan_bytes in figures.items():
        if key.startswith("scan_bytes_"):
            point = key.removeprefix("scan_bytes_")
            lines.append(f"| {tables[point[0]]} {point[1:]} | {scan_bytes:.0f} | {figures[f'accuracy_{point}']:.1%} |")
    return "\n".join(lines) + "\n"


CLAIMS = {
    "demo": Claim(
        "The demo: ordinary JPEG, v1, v2",
        lambda of: (
            f"Learned tables send the same pictures in {of['saving_v2']:.0%} fewer bytes than ordinary JPEG files, "
            f"standard tables left at home in {of['saving_v1']:.0%} fewer, at the same accuracy; `make demo` takes "
            f"{of['seconds_warm']:.0f} s."
        ),
        demo_table,
        "rate-accuracy.png",
    ),
    "installing": Claim(
        "Installing: what each program brings along",
        lambda of: (
            f"A camera downloads {of['download_bytes_sensor'] / 1e6:.0f} MB, {of['wheel_bytes'] / 1e6:.1f} MB of them "
            f"ours, and the server {of['download_bytes_cloud'] / 1e6:.0f} MB."
        ),
        installing_table,
    ),
    "rate_accuracy": Claim(
        "Learned tables against JPEG at equal bytes",
        lambda of: (
            f"On CIFAR-100 learned tables are {of['cifar100_gain_60B_points']:.1f} percentage points more accurate "
            f"than JPEG at 60 scan bytes a frame and {of['cifar100_gain_150B_points']:.1f} at 150, though at most "
            f"{rate_accuracy_report.most_over_sensitivity(of):.1f} more than tables made from the net's sensitivity "
            f"alone, and the wire needs {of['cifar100_wire_saving_60B']:.0%} and "
            f"{of['cifar100_wire_saving_150B']:.0%} fewer bytes than JPEG files that are as accurate "
            f"([how to read this](training.md#comparing))."
        ),
        rate_accuracy_report.tables,
    ),
    "sensor": Claim("The sensor: memory, start, processor and bytes", sensor_report.sentence, sensor_report.table),
    "wire_bytes": Claim(
        "The wire: what a frame costs beside its scan",
        wire_bytes_report.of_frames,
        wire_bytes_report.frames_table,
    ),
    "answered_bytes": Claim(
        "The wire: what it costs that every answer names its frames",
        wire_bytes_report.of_answers,
    ),
    "probe_bytes": Claim(
        "The wire: what it costs to send some pictures under two versions",
        wire_bytes_report.of_probes,
    ),
    "synthetic": Claim(
        "The data set `synthetic`: accuracy depends on the bytes spent",
        lambda of: (
            f"Learned tables reach {of['accuracy_b40']:.1%} at {of['scan_bytes_b40']:.0f} scan bytes, where standard "
            f"tables reach {of['accuracy_q5']:.1%} at {of['scan_bytes_q5']:.0f} and {of['accuracy_q10']:.1%} at "
            f"{of['scan_bytes_q10']:.0f}; with more bytes the gain shrinks: {of['accuracy_b140']:.1%} at "
            f"{of['scan_bytes_b140']:.0f} against {of['accuracy_q50']:.1%} at {of['scan_bytes_q50']:.0f}."
        ),
        _synthetic,
        "synthetic-rate-accuracy.png",
    ),
    "codec": Claim(
        "The codec: frames to coefficients and pictures to frames, against its peers",
        lambda of: (
            f"A 32 x 32 frame becomes coefficients {of['decode1_32_vs_libjpeg']:.1f} times faster than with "
            f"libjpeg-turbo in C, {of['batch_32_vs_libjpeg']:.1f} times in batches, and a 224 x 224 picture becomes a "
            f"frame {of['encode_224_vs_simplejpeg']:.1f} times faster than with simplejpeg."
        ),
        codec_report.tables,
    ),
    "codec_hostile": Claim(
        "The codec and its peers on damaged streams",
        lambda of: (
            f"Of 20,000 damaged streams and 2,000 cut ones {of['ours_crashes']:.0f} end dctwire's process, "
            f"{of['ours_hangs']:.0f} stall it, {of['ours_truncated_accepted']:.0f} cut ones are taken for whole, and "
            f"{of['ours_leaked_mib']:.2f} MiB stay behind; jpeg2dct-numpy takes "
            f"{of['jpeg2dct_truncated_accepted']:.0f} cut files for whole ones and leaks "
            f"{of['jpeg2dct_leaked_mib']:.0f} MiB."
        ),
        codec_report.hostile_table,
    ),
    "codec_mutations": Claim(
        "The codec: damaged streams by the million",
        lambda of: (
            f"{of['mutated_inputs']:,.0f} damaged streams through every entry point that reads: "
            f"{of['mutated_failures']:.0f} failures, the slowest {of['slowest_ms']:.1f} ms, at most "
            f"{of['peak_mib_above_start']:.1f} MiB above the start."
        ),
    ),
    "resized": Claim(
        "Ordinary JPEGs of a camera's own size, resized in the codec",
        lambda of: (
            f"CIFAR-100's test pictures as 640 x 480 files of quality 90 reach {of['accuracy_resized']:.2%} through "
            f"the codec and {of['accuracy_sensor']:.2%} through a sensor with Pillow, and "
            f"{of['label_agreement']:.1%} of their labels agree; the codec is {of['codec_vs_pillow']:.1f} times "
            f"faster than Pillow, and {of['codec_vs_pillow_draft']:.1f} times than Pillow with libjpeg's reduction."
        ),
        resized_report.table,
    ),
    "transcode": Claim(
        "JPEG cameras: frames of their coefficients instead of their pixels",
        transcode_report.sentence,
        transcode_report.table,
    ),
    "serving": Claim(
        "Serving: whole requests against bare ONNX Runtime on the same core",
        lambda of: (
            f"Batches of 32, end to end and durable, run at {of['batch32_vs_bare_ort']:.0%} of what bare ONNX Runtime "
            f"does on the same core, and {of['swapped_requests']:,.0f} requests during 50 and 100 hot swaps met "
            f"{of['failed_requests_50_swaps'] + of['failed_requests_100_swaps']:.0f} failures."
        ),
        _serving,
        "serving.png",
        lambda of: (
            Bar("bare ONNX Runtime, batches of 32", of["bare_ort_fps_batch32"], is_ours=False),
            Bar("dctwire, batches of 32", of["batch32_fps"], is_ours=True),
            Bar("dctwire, single posts, 64 connections", of["single_64_connections_fps"], is_ours=True),
            Bar("dctwire, single posts, 8 connections", of["single_8_connections_fps"], is_ours=True),
        ),
        "frames a second on one core",
    ),
    "serving_vs_peers": Claim(
        "Serving: dctwire against FastAPI and LitServe with nets on pixels",
        lambda of: (
            f"On one core dctwire answers {of['fps_vs_fastapi_pillow_int8_32']:.1f} times as many frames a second as "
            f"FastAPI with Pillow and an equally accurate net in int8, and {of['fps_vs_litserve_int8_32']:.1f} times "
            f"as many as LitServe."
        ),
        serving_vs_peers_report.tables,
    ),
    "serving_nets": Claim(
        "Serving nets: on levels, on pixels rebuilt in the graph, on ready pixels",
        lambda of: (
            f"A net on levels is {of['dct_vs_pixels_64px']:.1f} times faster than the usual net on ready pixels at 64 "
            f"px and {of['dct_vs_pixels_224px']:.2f} times at 224 px; the smaller grid saves that, not the inverse DCT "
            f"left out. Only time is compared: the nets are not trained."
        ),
        _serving_nets,
        "serving-nets.png",
        lambda of: [
            Bar(f"{words}, {px} px", of[f"ms_{px}px_{key}"], is_ours=key == "dct")
            for px in SIZES_PX
            for key, words in (("dct", "levels"), ("rebuilding", "rebuilt pixels"), ("pixels", "ready pixels"))
        ],
        "milliseconds a picture, one thread",
    ),
    "int8": Claim(
        "Eight bits against float32",
        lambda of: (
            f"Serving nets run {of['dct_int8_vs_dct_32px_batch8']:.1f} times faster in eight bits at 32 px and "
            f"{of['dct_int8_vs_dct_224px_batch8']:.1f} times at 224 px, and the zoo's classifiers lose at most "
            f"{-min(value for key, value in of.items() if key.startswith('int8_points_')):.2f} percentage points."
        ),
        _int8,
        "int8.png",
        lambda of: [
            Bar(f"{words}, {px} px", of[f"ms_{key}_{px}px_batch8"], is_ours=key == "dct_int8")
            for px in SIZES_PX
            for key, words in (("dct", "float32"), ("dct_int8", "int8"))
        ],
        "milliseconds a picture, batches of 8, one thread",
    ),
    "data_path": Claim(
        "Training: what pictures cost to load, against one training step on them",
        lambda of: (
            f"Loading never bounds training: even decoding JPEG files anew is {of['files_vs_step_224px']:.0f} times "
            f"faster than the training step at 224 px, and levels from memory are "
            f"{of['levels_vs_step_32px']:.0f} times faster at 32 px."
        ),
        _data_path,
        "data-path.png",
        lambda of: [
            Bar(f"{words}, {px} px", of[key], is_ours=False)
            for px in SIZES_PX
            for kind, words in (("levels", "levels"), ("coefficients", "coefficients"), ("files", "files"))
            if (key := f"{kind}_vs_step_{px}px") in of
        ],
        "times faster than the training step",
    ),
    "soak": Claim(
        "The server under everything at once, for half an hour",
        lambda of: (
            f"{of['server_requests']:,.0f} requests of every kind, with bundles published meanwhile, meet "
            f"{of['server_failed_requests']:.0f} failures and, once warmed up, grow memory by "
            f"{of['server_rss_growth_mib']:.1f} MiB; a server made to leak is found by the same rule."
        ),
        _soak,
        "soak.png",
        lambda of: (
            Bar("dctwire", of["server_rss_growth_bytes_a_request"], is_ours=True),
            Bar("a server made to keep 1 KiB", of["control_rss_growth_bytes_a_request"], is_ours=False),
        ),
        "bytes of memory grown a request",
    ),
    "update_bytes": Claim(
        "What updates cost a device in bytes, however much is published",
        update_bytes_report.sentence,
        update_bytes_report.table,
    ),
    "fleet": Claim("A whole fleet, and rollouts to it", fleet_report.sentence, fleet_report.table, "rollout.png"),
    "rollout_gates": Claim(
        "Gates: what good and bad bundles meet, with devices that lie",
        rollout_gates_report.sentence,
        rollout_gates_report.table,
        "rollout-gates.png",
    ),
    "baselines": Claim(
        "What a server knows without originals and labels", baselines_report.sentence, baselines_report.table
    ),
    "drift": Claim(
        "Drift: how soon a change is noticed, and what the estimate of accuracy is worth meanwhile",
        drift_report.sentence,
        drift_report.table,
        "drift.png",
    ),
    "scrape": Claim("What Prometheus costs a server with 10,000 devices", watching_report.of_scrapes),
    "monitoring_cost": Claim("What a frame pays for being watched", watching_report.of_monitoring),
    "console": Claim("What the operator's pages cost", watching_report.of_console),
    "tuf_conformance": Claim(
        "TUF's conformance suite, against a device's client",
        lambda of: (
            f"The client that devices verify tables with passes {of['passed']:.0f} of the {of['tests']:.0f} tests of "
            "TUF's public conformance suite: rollback, freeze, mix and match, endless data, keys that are wrong or "
            "changed, thresholds, expiry."
        ),
    ),
}


def draw(claim: Claim, figures: Figures, folder: Path = IMAGES) -> None:
    """Draw a claim's bars where its picture belongs; nothing where a benchmark draws the picture."""
    if claim.bars is None or claim.picture is None:
        return
    from matplotlib.figure import Figure  # noqa: PLC0415 (only drawing needs it)

    bars = claim.bars(figures)
    page = Figure(figsize=(8, 0.6 + 0.32 * len(bars)), layout="constrained")
    axes = page.add_subplot()
    colours = ["tab:blue" if bar.is_ours else "0.7" for bar in bars]
    drawn = axes.barh([bar.words for bar in bars], [bar.value for bar in bars], color=colours)
    axes.bar_label(drawn, labels=[shown(bar.value) for bar in bars], padding=3)
    axes.set_title(claim.bars_say, fontsize=10)
    axes.set_xlim(0, 1.15 * max(bar.value for bar in bars))
    axes.invert_yaxis()
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.xaxis.set_visible(False)
    axes.tick_params(left=False)
    page.savefig(folder / claim.picture, dpi=110)
