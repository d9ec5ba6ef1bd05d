"""A run's folder: one run, one process, one line an epoch, and damage that does not go unnoticed."""

import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from shared.jpeg import TableSet
from trainer.encoding.files import Encoding
from trainer.errors import RunError
from trainer.recipes.goals import StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.run_dir import Asked, RunDir, Summary

RECIPE = Recipe.model_validate(
    {"data": {"name": "synthetic"}, "net": {"widths": [8, 8]}, "optimiser": {"epochs": 3}},
)
ASKED = Asked(recipe=RECIPE, goal=StandardGoal(quality=50), data="none")
SUMMARY = Summary(data="none", tables="", validation_accuracy=0.5, scan_bytes=1, n=2, epochs=3, parameters=4, seconds=5)


def test_another_run_is_refused_and_the_same_one_recognised(tmp_path: Path) -> None:
    with RunDir(tmp_path / "run").at_work(ASKED):
        RunDir(tmp_path / "run").refuse_another(ASKED)
    with pytest.raises(RunError, match=r"holds another run \(data is none there, other here\)"):
        RunDir(tmp_path / "run").refuse_another(ASKED.model_copy(update={"data": "other"}))


def test_a_second_training_in_the_same_folder_is_refused_while_the_first_is_at_work(tmp_path: Path) -> None:
    with RunDir(tmp_path).at_work(ASKED), pytest.raises(RunError, match="another training is at work"):
        _begin(tmp_path)
    _begin(tmp_path)


def test_a_training_that_broke_off_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunDir(tmp_path).at_work(ASKED):
        raise KeyboardInterrupt
    _begin(tmp_path)


def test_an_epoch_that_runs_again_after_a_kill_is_logged_once(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for epoch in (1, 2):
        run.log({"epoch": epoch})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epo')  # killed while writing the third line; the last checkpoint is the first epoch's
    run.forget_epochs_after(1)
    run.log({"epoch": 2})
    assert run.logged() == [{"epoch": 1}, {"epoch": 2}]


def test_every_line_and_checkpoint_is_synced_before_training_goes_on(tmp_path: Path) -> None:
    synced = []
    run = RunDir(tmp_path, lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink().name))
    acts: tuple[Callable[[], None], ...] = (
        lambda: run.log({"epoch": 1}),
        lambda: run.note_provenance({"torch": "2"}),
        lambda: run.save_checkpoint({"next_epoch": 1}),
        lambda: run.forget_epochs_after(0),
    )
    for act in acts:
        act()
        synced.append("|")
    files = ("metrics.jsonl", "provenance.jsonl", "checkpoint.pt.tmp", "metrics.jsonl.tmp")
    assert synced == [word for file in files for word in (file, tmp_path.name, "|")]


def test_nothing_to_forget_in_a_new_folder(tmp_path: Path) -> None:
    RunDir(tmp_path).forget_epochs_after(0)
    assert RunDir(tmp_path).logged() == []


def test_a_flipped_bit_anywhere_in_the_tensors_is_noticed(tmp_path: Path) -> None:
    run, state = RunDir(tmp_path), {"weight": torch.randn(40, 40)}
    _begin(tmp_path)
    run.finish(SUMMARY, Encoding(TableSet.standard(50)), state)
    whole, chance = (tmp_path / "net.pt").read_bytes(), random.Random(1)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        (tmp_path / "net.pt").write_bytes(damaged)
        try:
            assert torch.equal(run.finished().net_state["weight"], state["weight"])
        except RunError as error:
            assert "net.pt" in str(error)
            refused += 1
    assert refused > 200


def test_what_a_killed_writer_left_is_taken_over_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt.tmp").write_bytes(b"half")
    run = RunDir(tmp_path)
    run.save_checkpoint({"next_epoch": 1})
    assert run.checkpoint() == {"next_epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 no more than this", "missing or damaged"),
        ({"next_epoch": 1}, "another version of the trainer"),
        ({"format": 0, "state": {}}, "another version of the trainer"),
    ],
    ids=["damaged", "from before formats were numbered", "older"],
)
def test_a_checkpoint_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, content: bytes | dict[str, Any], message: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(RunError, match=rf"checkpoint\.pt .*{message}"):
        RunDir(tmp_path).checkpoint()


def test_every_key_that_differs_is_named_with_its_place(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    _begin(tmp_path)
    optimiser = RECIPE.optimiser.model_copy(update={"epochs": 4, "batch": 32})
    with pytest.raises(RunError) as caught:
        run.refuse_another(ASKED.model_copy(update={"recipe": RECIPE.model_copy(update={"optimiser": optimiser})}))
    assert "recipe.optimiser.epochs is 3 there, 4 here" in str(caught.value)
    assert "recipe.optimiser.batch is 128 there, 32 here" in str(caught.value)


def test_a_net_that_learned_on_a_gpu_is_read_where_there_is_none(tmp_path: Path) -> None:
    run, weight = RunDir(tmp_path), torch.randn(4, 4)
    _begin(tmp_path)
    run.finish(SUMMARY, Encoding(TableSet.standard(50)), {"weight": weight})
    _say_saved_on(tmp_path / "net.pt", b"cuda:0")
    read = run.finished().net_state["weight"]
    assert read.device.type == "cpu"
    assert torch.equal(read, weight)


def _begin(folder: Path) -> None:
    with RunDir(folder).at_work(ASKED):
        pass


def _say_saved_on(path: Path, device: bytes) -> None:
    """Name another device in every place where torch names the one that a tensor was on."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = b"X" + len(device).to_bytes(4, "little") + device
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"X\x03\x00\x00\x00cpu", text))
