"""The program as a person runs it: a tiny recipe, every command and its refusals."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.bundle import Bundle, Disagreement, Golden, Reference
from shared.jpeg import Decoder, Stream
from tests.trainer.data.published import write_published
from tests.trainer.present import present
from trainer.app import main
from trainer.data import SplitName, synthetic
from trainer.export.classifier import OnnxClassifier

PROGRAM = Path(sys.executable).with_name("dctwire-trainer")
NAME = "synthetic-32/v1/seed1"
TINY = """
[data]
name = "synthetic"
train = 1024
validation = 512
test = 256
[net]
widths = [8, 12]
[optimiser]
epochs = 3
batch = 64
[tables]
refit_steps = 8
rate_frames = 512
"""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Workplace:
    """A folder with a tiny recipe and a cache of its own, to give commands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tiny.toml").write_text(TINY)

    def run(self, *arguments: str) -> Done:
        """Give a command in this process, without the seconds that a new one takes to load torch."""
        out, err, status = io.StringIO(), io.StringIO(), 0
        with self._environment(), chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as left:
                status = int(left.code or 0)
        return Done(status, out.getvalue(), err.getvalue())

    def must(self, *arguments: str) -> Done:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done

    def start(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program in a process of its own."""
        with self._environment():
            return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)

    @contextmanager
    def _environment(self) -> Iterator[None]:
        ours = {"DCTWIRE_CACHE": str(self.folder / "cache"), "COLUMNS": "200"}
        before = dict(os.environ)
        os.environ.update(ours)
        os.environ.pop("DCTWIRE_DATA", None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Both kinds of run, trained and exported."""
    place = Workplace(tmp_path_factory.mktemp("trainer"))
    place.must("train", "tiny.toml", "--tables", "standard", "--quality", "75", "--out", "v1")
    place.must("train", "tiny.toml", "--tables", "learned", "--budget", "110", "--out", "v2")
    for counter in ("1", "2"):
        place.must("export", f"v{counter}", "--counter", counter, "--family", "gate", "--out", f"b{counter}")
    return place


def test_every_line_of_metrics_names_the_data_set_and_the_phase(trained: Workplace) -> None:
    rows = [json.loads(line) for line in (trained.folder / "v2" / "metrics.jsonl").read_text().splitlines()]
    assert [row["phase"] for row in rows] == ["warm-up", "learn", "settle"]
    assert {(row["data"], row["n"]) for row in rows} == {(NAME, 512)}
    assert rows[-1]["scan_bytes"] == pytest.approx(110, rel=0.02)


def test_a_bundle_folder_is_whole_and_proves_itself(trained: Workplace) -> None:
    bundle = Bundle.from_bytes((trained.folder / "b2" / "bundle.json").read_bytes())
    bundle.check_selftest()
    assert bundle.name == "gate/2"
    assert (bundle.expected.data, bundle.expected.n) == (NAME, 512)
    assert 90 < bundle.expected.bytes_p50 < 130 < bundle.expected.bytes_p95
    assert len(json.loads((trained.folder / "b2" / "labels.json").read_text())) == 32


def test_an_export_says_what_eight_bits_cost_and_its_golden_frames_may_show_noise(trained: Workplace) -> None:
    done = trained.must("export", "v2", "--counter", "2", "--family", "gate", "--golden", "generated", "--out", "b2n")
    held_out, noise = (
        Golden.from_bytes((trained.folder / name / "golden.json").read_bytes()) for name in ("b2", "b2n")
    )
    assert (len(held_out.frames), len(noise.frames)) == (512, 256)
    assert not set(held_out.frames) & set(noise.frames)
    twin = trained.folder / "b2n" / "classifier-int8.onnx"
    verdict = "exported" if twin.exists() else "left out"
    assert re.search(rf"in eight bits: accuracy [0-9.]+%, in float32 [0-9.]+% .*n = 512.*{verdict}", done.stderr)
    bundle = Bundle.from_bytes((trained.folder / "b2n" / "bundle.json").read_bytes())
    assert ("classifier-int8.onnx" in bundle.classifier.files) is twin.exists()


def test_an_export_that_follows_a_bundle_says_how_often_the_two_differ_and_keeps_it_for_the_server(
    trained: Workplace,
) -> None:
    following = ("export", "v2", "--counter", "2", "--family", "gate", "--after", "b1", "--out")
    said = trained.must(*following, "f2").stderr
    reference = Reference.from_bytes((trained.folder / "f2" / "reference.json").read_bytes())
    measured = present(reference.disagreement)
    answers = [likeliest_labels(trained.folder / name) for name in ("b1", "f2")]
    assert measured == Disagreement(counter=1, share=float((answers[0] != answers[1]).mean()), n=512)
    assert 0 < measured.share < 1
    assert f"temperature {present(reference.temperature):.2f}: a server divides logits by it" in said
    assert f"baseline factor {present(reference.baseline_factor).factor:.3f}: ordinary JPEG of quality 75" in said
    assert f"names another label than gate/1 on {measured.share:.1%} of 512 validation pictures" in said
    assert said.endswith("next: dctwire publish f2 --keys keys\nthen: dctwire rollout start gate 2\n")
    alone = Reference.from_bytes((trained.folder / "b2" / "reference.json").read_bytes())
    assert alone == reference.model_copy(update={"disagreement": None})


def likeliest_labels(folder: Path) -> NDArray[np.intp]:
    """What a bundle says of the validation pictures, each as a whole JPEG file."""
    bundle = Bundle.from_bytes((folder / "bundle.json").read_bytes())
    pictures = synthetic.generate(SplitName.VALIDATION, 512, size=32, seed=1)
    files = bundle.encoding.encoder().encode_batch(pictures.pixels, Stream.INTERCHANGE)
    y, c = np.empty((512, 64, 4, 4), np.int16), np.empty((512, 128, 2, 2), np.int16)
    assert not any(Decoder().decode_batch(files, y, c))
    logits = OnnxClassifier((folder / "classifier.onnx").read_bytes()).run({"y": y, "c": c})
    likeliest: NDArray[np.intp] = logits.argmax(1)
    return likeliest


def test_a_run_that_follows_its_own_bundle_differs_nowhere(trained: Workplace) -> None:
    said = trained.must("export", "v1", "--counter", "9", "--family", "gate", "--after", "b1", "--out", "same").stderr
    reference = Reference.from_bytes((trained.folder / "same" / "reference.json").read_bytes())
    assert reference.disagreement == Disagreement(counter=1, share=0.0, n=512)
    assert "on 0.0% of 512" in said


def test_a_bundle_made_for_other_pictures_may_be_followed_but_that_is_said(trained: Workplace) -> None:
    other = TINY.replace('name = "synthetic"', 'name = "synthetic"\nseed = 2')
    (trained.folder / "other.toml").write_text(other)
    trained.must("train", "other.toml", "--tables", "standard", "--quality", "75", "--out", "elsewhere")
    said = trained.must(
        "export", "elsewhere", "--counter", "7", "--family", "gate", "--after", "b1", "--out", "b7"
    ).stderr
    assert f"other pictures: gate/1 was made for {NAME}, not synthetic-32/v1/seed2" in said


def test_standard_bundles_keep_annex_k_and_learned_ones_do_not(trained: Workplace) -> None:
    ordinary, learned = (
        Bundle.from_bytes((trained.folder / name / "bundle.json").read_bytes()).tables for name in ("b1", "b2")
    )
    assert ordinary == type(ordinary).standard(75)
    assert learned.quant != ordinary.quant
    assert learned.huffman != ordinary.huffman


def test_a_run_and_its_bundle_evaluate_to_the_same_figures_in_three_units(trained: Workplace) -> None:
    of_run = json.loads(trained.must("evaluate", "v2").stdout)
    trained.must("evaluate", "b2", "--recipe", "tiny.toml", "--json", "b2.json")
    of_bundle = json.loads((trained.folder / "b2.json").read_text())
    assert {**of_run, "tables": ""} == {**of_bundle, "tables": ""}
    assert (of_run["data"], of_run["split"], of_run["n"]) == (NAME, "test", 256)
    assert of_run["low"] <= of_run["accuracy"] <= of_run["high"]
    assert of_run["wire"]["mean"] == of_run["scan"]["mean"] + 51
    assert of_run["file"]["mean"] > of_run["scan"]["mean"] + 400


def test_a_run_of_any_tables_is_measured_at_several_and_exported_for_servers_alone(trained: Workplace) -> None:
    trained.must("train", "tiny.toml", "--tables", "any", "--out", "any")
    shown = json.loads(trained.must("evaluate", "any").stdout)
    kept = {path.name for path in (trained.folder / "any").iterdir() if "test" in path.name}
    assert kept == {"fallback-test.json"}
    assert shown == json.loads((trained.folder / "any" / "fallback-test.json").read_text())
    assert {(of["data"], of["split"], of["n"]) for of in shown["of_tables"]} == {(NAME, "test", 256)}
    exporting = ("export", "any", "--family", "gate", "--out", "fallback")
    assert "a fallback has no versions" in trained.run(*exporting, "--counter", "1").stderr
    assert "follows none: no --after" in trained.run(*exporting, "--after", "b1").stderr
    assert "fallback of gate" in trained.must(*exporting).stderr
    described = json.loads((trained.folder / "fallback" / "fallback.json").read_text())
    assert (described["family"], described["expected"][0]["n"]) == ("gate", 512)
    assert not (trained.folder / "fallback" / "bundle.json").exists()


def test_a_finished_run_is_left_alone_and_another_one_does_not_overwrite_it(trained: Workplace) -> None:
    again = trained.must("train", "tiny.toml", "--tables", "standard", "--quality", "75", "--out", "v1")
    other = trained.run("train", "tiny.toml", "--tables", "standard", "--quality", "50", "--out", "v1")
    assert "finished already" in again.stderr
    assert other.returncode == 1
    assert "holds another run" in other.stderr


def test_a_run_that_was_stopped_is_resumed_by_the_same_command(trained: Workplace) -> None:
    learned = ("train", "tiny.toml", "--tables", "learned", "--budget", "110", "--out", "v3")
    trained.must(*learned)
    (trained.folder / "v3" / "summary.json").unlink()  # as if stopped just before the end
    assert "resumed after epoch 3" in trained.must(*learned).stderr
    whole, resumed = ((trained.folder / run / "tables.jpg").read_bytes() for run in ("v2", "v3"))
    assert whole == resumed


def test_learned_tables_may_start_from_another_runs_net(trained: Workplace) -> None:
    done = trained.must(
        "train", "tiny.toml", "--tables", "learned", "--budget", "90", "--init", "v1", "--out", "started"
    )
    assert "finished in" in done.stderr


def test_two_processes_of_torchrun_write_one_run_that_differs_by_noise_only(trained: Workplace) -> None:
    arguments = ("train", "tiny.toml", "--tables", "standard", "--quality", "75", "--device", "cpu", "--out", "shared")
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = trained.start(*torchrun, "-m", "trainer.app", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("finished in") == 1
    together, alone = (
        [json.loads(line) for line in (trained.folder / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("shared", "v1")
    )
    assert [row["loss"] for row in together] == pytest.approx([row["loss"] for row in alone], rel=0.02)
    noted = json.loads((trained.folder / "shared" / "provenance.jsonl").read_text())
    assert (noted["processes"], noted["device"]) == (2, "cpu")


def test_a_run_draws_its_curves_and_draws_them_again(trained: Workplace) -> None:
    curves = trained.folder / "v2" / "curves.png"
    trained.must("plot", "run", "v2", "--out", "again.png")
    for path in (curves, trained.folder / "again.png"):
        with Image.open(path) as picture:
            assert picture.format == "PNG"


def test_recipes_are_listed_with_their_data_sets(trained: Workplace) -> None:
    listed = trained.must("recipes").stdout
    assert "synthetic-32" in listed
    assert "cifar-100-python" in listed


def test_pictures_of_tables_and_points_are_drawn(trained: Workplace) -> None:
    points = [{"name": "v1", "bytes": 200, "accuracy": 0.9, "low": 0.88, "high": 0.92}]
    (trained.folder / "points.json").write_text(json.dumps(points))
    trained.must("plot", "tables", "b1", "v2", "--out", "tables.png")
    trained.must("plot", "points", "points.json", "--out", "points.png")
    for name in ("tables.png", "points.png"):
        with Image.open(trained.folder / name) as picture:
            assert picture.format == "PNG"


def test_frames_are_pictures_under_their_labels_numbered_over_all_of_them(trained: Workplace) -> None:
    trained.must("frames", "--count", "40", "--out", "frames")
    files = sorted((trained.folder / "frames").rglob("*.png"), key=lambda path: path.name)
    assert [path.stem for path in files] == [f"{index:06d}" for index in range(40)]
    assert len({path.parent.name for path in files[:10]}) > 3
    with Image.open(files[0]) as picture:
        assert np.asarray(picture).shape == (32, 32, 3)
    described = json.loads((trained.folder / "frames" / "frames.json").read_text())
    assert described == {"data": NAME, "split": "test", "count": 40}


def test_help_teaches_by_example_and_does_not_show_what_only_children_are_given(trained: Workplace) -> None:
    assert "--tables learned --budget" in trained.must("train", "--help").stdout
    assert "run-orders" not in trained.must("--help").stdout


def test_the_installed_program_ends_with_status_1_and_a_message_when_it_refuses(trained: Workplace) -> None:
    done = trained.start(PROGRAM, "train", "none", "--tables", "standard", "--quality", "50", "--out", "x")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no recipe 'none'; shipped: ")


def test_a_job_that_is_ordered_in_words_that_are_no_order_is_refused(trained: Workplace) -> None:
    done = trained.start(PROGRAM, "run-orders")
    assert done.returncode == 1
    assert "standard input holds no orders" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "tiny.toml", "--tables", "standard", "--out", "x"), "need a quality or a budget"),
        (("train", "tiny.toml", "--tables", "learned", "--out", "x"), "--budget: is needed"),
        (
            ("train", "tiny.toml", "--tables", "learned", "--budget", "-3", "--out", "x"),
            "--budget: Input should be greater than 0",
        ),
        (
            ("train", "tiny.toml", "--tables", "sensitivity", "--budget", "90", "--rdo", "1", "--out", "x"),
            "--rdo: belongs to other",
        ),
        (("train", "tiny.toml", "--tables", "any", "--quality", "9", "--out", "x"), "--quality: belongs to other"),
        (("train", "tiny.toml", "--tables", "learned", "--budget", "4", "--out", "x"), "outside what tables can reach"),
        (("train", "x[/b][data].toml", "--tables", "standard", "--quality", "50", "--out", "x"), "x[/b][data].toml"),
        (("train", "tiny.toml", "--tables", "standard", "--quality", "50", "--out", "tiny.toml"), "tiny.toml"),
        (("evaluate", "b2", "--recipe", "tiny.toml", "--json", "no/such.json"), "no/such.json"),
        (("plot", "tables", "b2", "--out", "x.gif"), "must end in .png"),
        (("train", "none", "--tables", "standard", "--quality", "50", "--out", "x"), "no recipe 'none'"),
        (("train", "cifar100-improved", "--tables", "standard", "--quality", "50", "--out", "x"), "needs --data-dir"),
        (("export", "v1", "--family", "gate", "--out", "x"), "a bundle needs a --counter"),
        (
            ("export", "v2", "--family", "door", "--counter", "2", "--after", "b1", "--out", "x"),
            "door/2 cannot follow gate/1, which is another family's",
        ),
        (("export", "v2", "--family", "gate", "--counter", "2", "--after", "b2", "--out", "x"), "must be above 2"),
        (
            ("export", "v2", "--family", "gate", "--counter", "2", "--after", "v1", "--out", "x"),
            "v1 is no bundle folder",
        ),
        (("export", "nowhere", "--counter", "1", "--family", "gate", "--out", "x"), "no finished run"),
        (("evaluate", "b2", "--recipe", "synthetic-64.toml"), "synthetic-64.toml"),
        (("frames", "--data", "mnist", "--out", "x"), "no such data"),
        (("data", "fetch", "mnist", "--data-dir", "d"), "no data set 'mnist' to fetch"),
        (
            ("data", "fetch", "cifar-100-python", "--data-dir", "d", "--mirror", "http://127.0.0.1:9/"),
            "cannot be fetched",
        ),
        (("plot", "points", "tiny.toml", "--out", "x.png"), "holds no rate-accuracy points"),
    ],
)
def test_what_cannot_be_is_refused_in_one_message_without_a_traceback(
    trained: Workplace, arguments: tuple[str, ...], message: str
) -> None:
    done = trained.run(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_that_was_refused_does_not_claim_its_folder(trained: Workplace) -> None:
    refused = ("train", "tiny.toml", "--tables", "learned", "--out", "free", "--budget")
    assert trained.run(*refused, "4").returncode == 1
    trained.must(*refused, "110")


def test_pictures_of_another_data_set_do_not_join_those_in_the_folder(trained: Workplace) -> None:
    for _ in range(2):
        trained.must("frames", "--count", "3", "--out", "mixed")
    other = trained.run("frames", "--count", "2", "--seed", "2", "--out", "mixed")
    assert other.returncode == 1
    assert "holds other pictures" in other.stderr
    assert len(list((trained.folder / "mixed").rglob("*.png"))) == 3


def test_an_export_with_an_impossible_family_is_refused(trained: Workplace) -> None:
    done = trained.run("export", "v1", "--counter", "1", "--family", "No Family", "--out", "x")
    assert done.returncode == 1
    assert "lower case letters, digits and hyphens, at most 63" in done.stderr
    assert "pattern" not in done.stderr
    assert "Traceback" not in done.stderr


def test_damaged_runs_and_bundles_are_refused_by_name(trained: Workplace, tmp_path: Path) -> None:
    for name, file in (("run", "net.pt"), ("run2", "tables.jpg"), ("bundle", "classifier.onnx")):
        source = trained.folder / ("b1" if name == "bundle" else "v1")
        copy = tmp_path / name
        copy.mkdir()
        for path in source.iterdir():
            (copy / path.name).write_bytes(path.read_bytes()[: 100 if path.name == file else None])
        done = trained.run("evaluate", str(copy), "--recipe", "tiny.toml")
        assert done.returncode == 1
        assert file in done.stderr
        assert "Traceback" not in done.stderr


def test_cifar_frames_come_from_the_data_folder_and_damaged_ones_are_refused(
    trained: Workplace, tmp_path: Path
) -> None:
    write_published(tmp_path)  # small files: not the published ones
    done = trained.run("frames", "--data", "cifar-100-python", "--data-dir", str(tmp_path), "--out", "x")
    assert done.returncode == 1
    assert "not the published file" in done.stderr
