"""Write docs/results.md, and the README's table, from benchmarks/results/*.json: `make results`.

With `--check` nothing is written, and the exit status says whether everything is up to date.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, Final

from benchmarks import codec_report, rate_accuracy_report, serving_vs_peers_report
from benchmarks.record import RESULTS, ROOT

BEGIN, END = "<!-- results:demo -->", "<!-- /results:demo -->"
ABOUT = {
    "codec": (
        "The codec: frames to coefficients and pictures to frames, against its peers",
        "All sides in one run, in turns, on one core: photographs at quality 50, 4:2:0, the same steps for all. "
        "`a_vs_b` says how many times faster a is than b: the median over the rounds by processor time, and for "
        "`threads2_vs_1` the least times by the clock on two cores. So `int16_vs_float` and `plain_vs_rdo` say what "
        "dequantising and rate-distortion optimisation cost. `_us` are the least microseconds a picture. dctwire and "
        "libjpeg-turbo read abbreviated frames, the tables given once; the others read the same coefficients as "
        "interchange streams. All are called from Python unless C is said. The 224 x 224 and 1280 x 720 pictures are "
        "crops and tilings of photographs that matplotlib and scikit-image bring.",
    ),
    "codec_hostile": (
        "The codec and its peers on damaged streams",
        "The same streams for all: 20,000 damaged ones of every kind, and 2,000 whole files whose end is cut off. Each "
        "peer in a process of its own with 4 GiB of address space, forked anew behind whatever ends it. `_values` "
        "counts what was given without an error (a warning of libjpeg's counts as one), `leaked` what a second reading "
        "of all streams leaves behind. The peers also read kinds of JPEG that dctwire refuses: values do not compare.",
    ),
    "codec_mutations": (
        "The codec: damaged streams",
        "Streams of several encoders, up to 2.3 KiB long, damaged where it hurts (segments, lengths, table contents, "
        "factors, scans, restart markers, cuts, splices), each through every entry point that reads: every one must "
        "end in a value or a documented error, all entry points together within 50 ms of processor time, give the same "
        "whatever was read before, and leave the other frames of its batch as they were. Where several entry points "
        "give a value it must be the same; now and then it is coded anew and decoded again. "
        "Counts are by entry point and outcome; `peak_mib_above_start` is the most memory that a process used beyond "
        "what it held at its start, with 512 MiB of address space to go.",
    ),
    "data_path": (
        "Training: what pictures cost to load, against one training step on them",
        "Per size, in one run and in turns, by processor time. `step`: forward, backward and optimiser of the serving "
        "net for that size, fp32. `coefficients`: augmentation of pictures in memory, and their DCT in torch. "
        "`levels`: the same augmentation, and the codec's levels. `files`: random crops of 500 x 375 JPEG files, "
        "decoded anew, and the codec's levels. `_per_second`: pictures a second of one core, the best round; "
        "`_vs_step`: how many times faster than the step, the median over the rounds. Above 1, loading in one thread "
        "beside the steps never lets a net on one core wait.",
    ),
    "demo": (
        "The demo: ordinary JPEG, v1, v2",
        "`make demo`, cold and then warm, in a fresh clone. n counts the different held-out pictures; each was sent at "
        "least once a row.",
    ),
    "int8": (
        "Eight bits against float32",
        "ONNX Runtime, one thread; all sides of a size and batch in one run, in turns, by processor time. `ms_` are "
        "the least milliseconds a picture, `_vs_` says how many times faster the first is: the median over the rounds. "
        "`pixels` is the usual net on ready pixels of the section on serving nets. These nets are not trained. "
        "`accuracy_` is that of the zoo's classifiers on CIFAR-100's 10,000 test pictures in float32, `int8_points_` "
        "what their exported twins add to it, in percentage points.",
    ),
    "serving": (
        "Serving: whole requests against bare ONNX Runtime on the same core",
        "The zoo's `cifar100-100`, abbreviated frames of 32 x 32 pictures, every device with frames of its own, every "
        "answer durable and checked. The server runs on one core with one classifying thread, the load generator on "
        "the other; all sides in one run, in turns, medians over n rounds. `batch32_vs_bare_ort` is frames a second in "
        "batches of 32, end to end over 4 connections, as a share of bare ONNX Runtime's on frames decoded beforehand; "
        "`batch32_cpu_vs_bare_ort` the same by the server's processor time. `single_post_overhead_us` is the server's "
        "processor time a frame posted alone, over 8 connections if nothing else is said, less what bare ONNX Runtime "
        "needs at its best for batches of the size that came about (`frames_a_batch`): decoding, storing and cold "
        "caches count as overhead. `fps`, `p50` and `p99` are by the clock. The net is in float32 on both sides. "
        "`failed_requests_50_swaps` and the figures after it are of hot swaps, good and refused ones, under load.",
    ),
    "serving_nets": (
        "Serving nets: on levels, on pixels rebuilt in the graph, on ready pixels",
        "ONNX Runtime, fp32, one thread, one picture a call; all sides of a size in one run, in turns. `dct` reads "
        "levels; `rebuilding` has the same body and head behind an inverse DCT, bilinear chroma and cells of pixels; "
        "`pixels` is a usual net on ready pixels: ResNet-20 at 32 and 64 px, at 224 px the same body behind "
        "MobileNetV2's way to its grid. `ms_` are the least milliseconds of processor time; `dct_vs_` says how many "
        "times faster the net on levels is: the median over the rounds. So what saves time is the smaller grid, and "
        "not that no pixels are rebuilt. Only time is compared: the nets are not trained.",
    ),
    "serving_vs_peers": (
        "Serving: dctwire against FastAPI and LitServe with nets on pixels",
        "Each server pinned to one core, the load generator on the other; single POSTs in closed loops, 64 clients at "
        "32 x 32 and 16 at 224 x 224, in turns, what does not serve stopped; every answer is held to what the side's "
        "own net says offline. The peers get ordinary JPEG files of quality 75 as multipart uploads, decode with "
        "Pillow, normalise in numpy and run ONNX Runtime on one thread, behind uvicorn with uvloop and httptools; "
        "LitServe batches up to 32. Of FastAPI's three ways to answer and of LitServe's queues and waits "
        "(`fps_try_`) the fastest takes part. dctwire gets abbreviated frames and stores every answer before it gives "
        "it; its server chooses between its net in float32 and in int8 (`serves_int8_` is 1 where it took that). "
        "`fps_vs_` and `p99_vs_` are dctwire's figure by the other's, medians of the rounds' ratios. At 32 x 32 "
        "the zoo's `cifar100-150` against ResNet-20, which learned from the same pictures to the same accuracy, within "
        "a point (`accuracy_`, the 10,000 test pictures): equals compared by time, neither as good as it can get. At "
        "224 x 224 only time is compared: nothing was trained, all weights are random; `multiplications_` and "
        "`parameters_` say how large the nets are.",
    ),
    "soak": (
        "The server under everything at once, for half an hour",
        "One server process and a mixed load, counted by actor (`_done`): frames one by one, in batches of 32 and sent "
        "again, labels, damaged frames, cut bodies, strangers, newcomers, scrapes, and bundles published meanwhile, "
        "one in three of them broken. Resident memory, read every second: `_growth_mib` is the last third's "
        "median minus the first third's, once a quarter of the time is over; `_slope` is Theil and Sen's. `control_` "
        "is the same load on a server made to keep 1 KiB a request, which must be seen. n counts requests.",
    ),
    "rate_accuracy": (
        "Learned tables against JPEG at equal bytes",
        "Nets, recipe, seeds, Huffman freedom and wire format alike for all; what the figures mean and how intervals "
        "come about is said in [training](training.md#comparing). Gains are percentage points of accuracy at equal "
        "scan bytes, with 95 % intervals; `saving` is the share of a whole JFIF file (the paper's unit) that our wire "
        "does not need at equal accuracy, or, where no JPEG run is as accurate, against the most accurate one. "
        "`accuracy_*_jpeg` is interpolated at the bytes that the improved run of that budget spends. "
        "`training_core_hours` is what all epochs of base and branches took by the clock, one thread each. "
        "`rate_model_median_error` is the median, over the improved runs, of the rate model's median error at its last "
        "refit.",
    ),
    "synthetic": (
        "The data set `synthetic`: accuracy depends on the bytes spent",
        "Standard tables at several qualities (with Annex K's Huffman tables, as ordinary cameras have) and learned "
        "tables at several budgets (with fitted Huffman tables), each with a net of its own, same recipe and seed; "
        "scan bytes a frame and accuracy on the n held-out pictures, through the real codec and the exported "
        "classifier. One seed.\n\n"
        "![Rate and accuracy](images/synthetic-rate-accuracy.png)",
    ),
}


def main() -> int:
    """Write the pages, or compare them with what is there."""
    records = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    pages = {ROOT / "docs" / "results.md": results_page(records)}
    if "demo" in records:
        readme = ROOT / "README.md"
        pages[readme] = with_demo_table(readme.read_text(), records["demo"])
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what benchmarks/results/ says; run `make results`")
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path])
    return 0


def results_page(records: dict[str, dict[str, Any]]) -> str:
    """docs/results.md, whole."""
    parts = [
        "# Results\n\nWritten by `make results` from `benchmarks/results/`; do not edit. "
        "Each section: `make bench NAME=<name>`.\n"
    ]
    for name, record in records.items():
        title, words = ABOUT.get(name, (name, ""))
        parts.append(f"## {title}\n\n{words}\n")
        if name in TABLES:
            parts.append(TABLES[name](record["figures"]))
        parts.append("| figure | value |\n|---|---:|")
        parts += [f"| `{key}` | {shown(value)} |" for key, value in record["figures"].items()]
        parts.append(f"\nn = {record['n']}; {record['machine']}; {record['date']}; commit {record['commit']}\n")
    return "\n".join(parts)


def shown(value: float) -> str:
    """Six digits that count; a count whole."""
    return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"


def with_demo_table(readme: str, record: dict[str, Any]) -> str:
    """The README with the demo's table between its two markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    note = f"n = {record['n']} held-out pictures, each sent in every way; {record['machine']}; {record['date'][:10]}."
    return f"{before}{BEGIN}\n{demo_table(record['figures'])}\n{note}\n{END}{after}"


def demo_table(figures: dict[str, float]) -> str:
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


TABLES: Final[dict[str, Callable[[dict[str, float]], str]]] = {
    "demo": demo_table,
    "codec": codec_report.tables,
    "codec_hostile": codec_report.hostile_table,
    "rate_accuracy": rate_accuracy_report.tables,
    "serving_vs_peers": serving_vs_peers_report.tables,
}


if __name__ == "__main__":
    sys.exit(main())
