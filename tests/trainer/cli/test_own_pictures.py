"""The way of someone with pictures of their own, by the commands that they give: from a folder to what is published."""

import io
import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.bundle import Bundle
from tests.trainer.data.picture_trees import picture
from trainer.app import main
from trainer.recipes import recipe as recipes
from trainer.recipes.recipe import Recipe

CLASSES = {"red": (200, 30, 30), "blue": (30, 30, 200)}


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str


class Place:
    """A folder with pictures, to give commands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for label, colour in CLASSES.items():
            (folder / "balls" / label).mkdir(parents=True)
            for seed in range(12):
                pixels = np.asarray(picture(seed, 48, 48)) // 3 + np.array(colour, np.uint8) // 2
                Image.fromarray(pixels.astype(np.uint8)).save(folder / "balls" / label / f"{seed}.jpg", quality=90)

    def run(self, *arguments: str) -> Done:
        out, err, status = io.StringIO(), io.StringIO(), 0
        with self._environment(), chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as left:
                status = int(left.code or 0)
        return Done(status, out.getvalue(), err.getvalue())

    def at_terminal(self, *arguments: str) -> str:
        """What a person sees on standard output."""
        ours, theirs = os.openpty()
        with os.fdopen(theirs, "w", encoding="utf-8") as out:
            with (
                self._environment(),
                chdir(self.folder),
                redirect_stdout(out),
                redirect_stderr(io.StringIO()),
                suppress(SystemExit),
            ):
                main(arguments)
            print("END", file=out, flush=True)
            shown = os.read(ours, 65_536).decode()
        os.close(ours)
        return shown.removesuffix("END\r\n")

    def must(self, *arguments: str) -> Done:
        done = self.run(*arguments)
        assert done.status == 0, done.stderr
        return done

    @contextmanager
    def _environment(self) -> Iterator[None]:
        before = dict(os.environ)
        os.environ.update({"DCTWIRE_CACHE": str(self.folder / "cache"), "COLUMNS": "200"})
        os.environ.pop("DCTWIRE_DATA", None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@dataclass(frozen=True)
class Trained:
    """A place where a folder was trained, and what that said."""

    place: Place
    said: str

    @property
    def run(self) -> Path:
        return self.place.folder / "runs" / "balls-learned-60"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """By one command that names a folder and a budget, and then by the recipe that it made, with fewer epochs."""
    place = Place(tmp_path_factory.mktemp("own"))
    text = place.must("recipes", "--print", "balls", "--budget", "60").stdout
    for key, value in (("epochs", 40), ("warm_up_epochs", 10), ("learning_epochs", 10)):
        text = re.sub(rf"^{key} = \d+", f"{key} = {value}", text, flags=re.M)
    (place.folder / "elsewhere").mkdir()
    (place.folder / "elsewhere" / "balls.toml").write_text(text.replace(str(place.folder / "balls"), "../balls"))
    return Trained(place, place.must("train", "elsewhere/balls.toml", "--budget", "60").stderr)


def next_commands(said: str) -> list[list[str]]:
    return [shlex.split(line) for line in said.partition("next:\n")[2].splitlines()]


def test_a_folder_and_a_budget_are_enough_and_the_recipe_is_printed_and_kept(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for label in CLASSES:
        for seed in range(6, 12):
            (tmp_path / "balls" / label / f"{seed}.jpg").unlink()
    said = place.must("train", "balls", "--budget", "60").stderr
    run = tmp_path / "runs" / "balls-learned-60"
    kept = recipes.load(str(run / "recipe.toml"))
    assert isinstance(kept, Recipe)
    assert (run / "recipe.toml").read_text().strip() in said
    assert json.loads((run / "summary.json").read_text())["scan_bytes"] == pytest.approx(60, rel=0.05)
    assert "few steps: 200 epochs of 1 steps are 200 in all" in said
    again = place.must("train", "balls", "--budget", "60").stderr
    assert "is finished already" in again


def test_a_recipe_s_path_starts_where_its_file_is_and_the_run_finds_it_from_anywhere(
    trained: Trained, tmp_path: Path
) -> None:
    asked = json.loads((trained.run / "asked.json").read_text())
    assert asked["recipe"]["data"]["path"] == str(trained.place.folder / "balls")
    with chdir(tmp_path):
        assert trained.place.run("evaluate", str(trained.run), "--split", "validation").status == 0


def test_the_commands_that_training_ends_with_work_as_they_are(trained: Trained) -> None:
    evaluate, export, publish = next_commands(trained.said)
    assert publish == ["dctwire", "publish", "bundles/balls-1", "--keys", "keys", "--assign"]
    figures = json.loads(trained.place.must(*evaluate[1:]).stdout)
    assert [each["label"] for each in figures["classes"]] == ["blue", "red"]
    assert sum(each["n"] for each in figures["classes"]) == figures["n"]
    exported = trained.place.must(*export[1:])
    assert shlex.join(publish) in exported.stderr
    bundle = Bundle.from_bytes((trained.place.folder / "bundles" / "balls-1" / "bundle.json").read_bytes())
    assert bundle.name == "balls/1"
    with Image.open(trained.run / "confusion-test.png") as drawn:
        assert drawn.format == "PNG"


def test_evaluation_names_the_classes_and_what_they_are_taken_for(trained: Trained) -> None:
    said = trained.place.must("evaluate", str(trained.run)).stderr
    assert "class by class" in said
    for label in CLASSES:
        assert re.search(rf"{label} +[0-9.]+%", said)


def test_evaluation_names_its_picture_and_what_comes_next_and_leaves_out_what_two_classes_make_sure(
    trained: Trained,
) -> None:
    said = trained.place.must("evaluate", str(trained.run)).stderr
    assert f"which class is taken for which: drawn in {trained.run / 'confusion-test.png'}\n" in said
    export = next_commands(trained.said)[1]
    assert shlex.split(said.splitlines()[-1]) == ["next:", *export[:2], str(trained.run), *export[3:]]
    assert "among the first five" not in said


def test_figures_are_json_for_a_pipe_and_a_table_alone_at_a_terminal(trained: Trained) -> None:
    evaluate = ("evaluate", str(trained.run))
    assert json.loads(trained.place.must(*evaluate).stdout)["split"] == "test"
    assert trained.place.at_terminal(*evaluate) == ""
    assert trained.place.at_terminal("compare", str(trained.run), str(trained.run)) == ""


def test_a_bundle_without_a_recipe_is_refused_before_any_picture_is_made(trained: Trained) -> None:
    place = trained.place
    place.must("export", str(trained.run), "--family", "balls", "--counter", "3", "--out", "bundle3")
    kept = sorted((place.folder / "cache").rglob("*"))
    done = place.run("evaluate", "bundle3")
    assert (done.status, done.stdout) == (1, "")
    assert "bundle3 is a bundle, made for balls" in done.stderr
    assert "--recipe RUN/recipe.toml" in done.stderr
    assert sorted((place.folder / "cache").rglob("*")) == kept
    recipe = str(trained.run / "recipe.toml")
    said = place.must("evaluate", "bundle3", "--recipe", recipe).stderr
    assert said.endswith("next: dctwire publish bundle3 --keys keys --assign\n")


@pytest.mark.parametrize("command", [("predict",), ("zoo", "try")])
def test_help_names_the_page_of_picture_files(trained: Trained, command: tuple[str, ...]) -> None:
    assert "docs/pictures.md" in trained.place.must(*command, "--help").stdout


def test_predict_says_what_a_camera_would_send_and_what_the_server_would_say(trained: Trained) -> None:
    picture_file = trained.place.folder / "balls" / "red" / "0.jpg"
    (of_run,) = json.loads(trained.place.must("predict", str(trained.run), str(picture_file), "--json").stdout)
    assert of_run["own_jpeg_bytes"] == picture_file.stat().st_size
    assert of_run["saved"] == pytest.approx(1 - of_run["frame_bytes"] / of_run["own_jpeg_bytes"])
    assert of_run["frame_bytes"] == of_run["scan_bytes"] + 51
    assert {each["label"] for each in of_run["likeliest"]} == set(CLASSES)
    assert sum(each["probability"] for each in of_run["likeliest"]) == pytest.approx(1, abs=1e-3)
    trained.place.must("export", str(trained.run), "--family", "balls", "--counter", "2", "--out", "bundle")
    (of_bundle,) = json.loads(trained.place.must("predict", "bundle", str(picture_file), "--json").stdout)
    assert of_bundle["scan_bytes"] == of_run["scan_bytes"]
    told = trained.place.must("predict", "cifar100-150", str(picture_file)).stdout
    assert re.search(r"0\.jpg: \d+ bytes on the wire, \d+ of them scan .*; its own JPEG has \d+: [0-9.-]+% saved", told)
    assert len(told.splitlines()) == 6


def test_pictures_that_cannot_be_read_are_named_and_the_others_are_predicted(trained: Trained) -> None:
    (trained.place.folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    picture(3).save(trained.place.folder / "plain.png")
    done = trained.place.run("predict", "cifar100-150", "broken.png", "plain.png", "gone.jpg", "--json")
    assert done.status == 1
    (only,) = json.loads(done.stdout)
    assert (only["picture"], only["own_jpeg_bytes"], only["saved"]) == ("plain.png", None, None)
    assert "broken.png" in done.stderr
    assert "gone.jpg" in done.stderr
    assert "2 of 3 pictures cannot be read" in done.stderr


def test_two_runs_are_compared_on_the_same_frames(trained: Trained) -> None:
    place = trained.place
    standard = ("train", "elsewhere/balls.toml", "--tables", "standard", "--quality", "50", "--out", "runs/q50")
    place.must(*standard)
    for run in ("runs/q50", str(trained.run)):
        place.must("evaluate", run)
    done = place.must("compare", "runs/q50", str(trained.run))
    found = json.loads(done.stdout)
    assert (found["first"]["run"], found["n"]) == ("runs/q50", 5)
    assert found["scan_bytes"]["value"] < 0
    assert "McNemar's exact p" in done.stderr
    alone = place.run("compare", "runs/q50")
    assert "runs/q50 is one run: name a second one" in alone.stderr
    assert "two runs or one ladder, not 3" in place.run("compare", "a", "b", "c").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("train", "empty", "--budget", "60"),
            "is empty of pictures: it needs a folder",
        ),
        (("train", "balls/red", "--budget", "60"), "has 12 pictures and no folders: it needs a folder"),
        (("train", "one", "--budget", "60"), "has one class, 'cat': it needs a folder"),
        (("train", "nowhere", "--budget", "60"), "no recipe 'nowhere'"),
        (("train", "balls"), "--budget: is needed"),
        (("train", "balls", "--budget", "2", "--out", "x"), "Choose one between them"),
        (("train", "balls", "--variant", "cpu", "--budget", "60"), "only a recipe's file has variants"),
        (("train", "elsewhere", "--budget", "60"), "is one of its recipes meant, elsewhere/balls.toml?"),
        (("train", "runs/balls-learned-60", "--budget", "60"), "is a run, not a folder of pictures"),
        (("train", "elsewhere/balls", "--budget", "60"), "no recipe 'elsewhere/balls'"),
        (("train", "balls/red/0.jpg", "--budget", "60"), "is a file, but the name of a recipe's file ends in .toml"),
        (("train", "b\udce9d", "--budget", "60"), r"b\xe9d: no recipe can hold a path that is not UTF-8"),
        (("ladder", "balls", "--out", "x"), "balls is a folder, not a recipe"),
        (("recipes", "--budget", "60"), "belong to --print"),
        (("predict", "nowhere", "balls/red/0.jpg"), "no entry 'nowhere'"),
    ],
)
def test_what_is_mistaken_is_said_in_one_message(trained: Trained, arguments: tuple[str, ...], message: str) -> None:
    for name in ("empty", "b\udce9d"):
        (trained.place.folder / name).mkdir(exist_ok=True)
    (trained.place.folder / "one" / "cat").mkdir(parents=True, exist_ok=True)
    done = trained.place.run(*arguments)
    assert done.status == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("budget", ["0", "-5", "nan", "inf", "1e-9", "700000", "2e6"])
@pytest.mark.parametrize("command", [("train",), ("data", "check"), ("recipes", "--print")])
def test_a_budget_that_cannot_be_is_refused_in_one_line_with_a_folder_too(
    tmp_path: Path, command: tuple[str, ...], budget: str
) -> None:
    done = Place(tmp_path).run(*command, "balls", "--budget", budget)
    assert (done.status, done.stdout) == (1, "")
    assert re.fullmatch(r"error: --budget: [^\n]+\n", done.stderr)
    assert not (tmp_path / "runs").exists()


def test_a_folder_is_looked_at_before_anything_is_trained(trained: Trained) -> None:
    done = trained.place.must("data", "check", "balls")
    assert re.search(r"red +\d+ +\d+ +\d+", done.stderr)
    assert "there is no folder test" in done.stderr
