"""RGB ResNet-20 on CIFAR-100, as accurate as a net of the zoo: its rival, to be compared with by time.

    DCTWIRE_DATA=data python -m benchmarks.resnet20_cifar100

It learns what a camera's ordinary JPEG files hold, from the pictures and with the optimisers of the zoo's nets, in one
cycle of learning rates; training ends there, or with the first epoch that reaches the zoo's accuracy on the test
pictures. They are there to make two nets equal, not to praise one: with more epochs ResNet-20 goes further, as do the
zoo's nets with more bytes. The net stays in the cache (DCTWIRE_CACHE); a run that was stopped goes on after its last
epoch.
"""

import json
import os
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.pixel_nets import PixelNet, resnet20
from benchmarks.pixels import as_received, normalised
from shared.bundle import INT8_NAME, MODEL_NAME
from trainer import zoo
from trainer.cli.terminal import Terminal
from trainer.data import Dataset, Split
from trainer.data.cifar import load
from trainer.data.dataset import Augmentation
from trainer.data.loading import training_batches
from trainer.export.classifier import BATCH, OnnxClassifier
from trainer.export.int8 import CALIBRATION_FRAMES, quantised
from trainer.export.onnx_graph import MEANS
from trainer.recipes.recipe import Optimiser
from trainer.training.batches import Batches
from trainer.training.compute import Compute
from trainer.training.fitting import NetFitter
from trainer.training.run_dir import RunDir
from trainer.whole_file import write_whole

ZOO = Path(zoo.__file__).parent
EQUAL_TO = "cifar100-150"
SIDE, SHRINK = 32, 4
SEED, DATA_SEED = 0, 1
VARIED = Augmentation(pad=4, flip=True)
SETTINGS = Optimiser(
    epochs=16,
    batch=128,
    learning_rate=0.01,
    weight_decay=0.2,
    muon_learning_rate=0.02,
    warm_share=0.15,
    label_smoothing=0.1,
    average_decay=0.998,
)


@dataclass(frozen=True)
class Trained:
    """The rival.

    Args:
        model: serialised ONNX; input pixels float32 [N, 3, 32, 32] as `normalised` makes them, output logits.
        int8: the same net in eight bits.
        accuracy, int8_accuracy: share of the test pictures each is right about, by ONNX Runtime.
        epochs: how many it took.
    """

    model: bytes
    int8: bytes
    accuracy: float
    int8_accuracy: float
    epochs: int


def main() -> int:
    """Train it where the cache lacks it, and say how good it is."""
    net = trained()
    Terminal.on_standard_error(time.perf_counter).say(
        f"test accuracy {net.accuracy:.2%} ({net.int8_accuracy:.2%} in eight bits) after {net.epochs} epochs; "
        f"{wanted_accuracy():.2%} was wanted"
    )
    return 0


def trained() -> Trained:
    """The rival from the cache; where it is not there, it is trained first."""
    folder = Path(os.environ.get("DCTWIRE_CACHE", ".cache")) / "resnet20-cifar100"
    if not (folder / "figures.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)
        _Training(folder).run()
    model, int8 = ((folder / name).read_bytes() for name in (MODEL_NAME, INT8_NAME))
    return Trained(model, int8, **json.loads((folder / "figures.json").read_text()))


def wanted_accuracy() -> float:
    """The zoo's net's share of right test pictures."""
    return zoo.read(ZOO, EQUAL_TO).evaluation.accuracy


def cifar100() -> Dataset:
    """The pictures of the zoo's nets, from the folder DCTWIRE_DATA, as they come out of a camera's JPEG files."""
    dataset = _published()
    train, test = (replace(split, pictures=as_received(split.pixels)) for split in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test, augmentation=VARIED)


def cifar100_test() -> Split:
    """CIFAR-100's, as they are."""
    return _published().test


def accuracy_of(model: bytes, split: Split) -> float:
    """Share of a split's pictures that an ONNX net of pixels is right about."""
    classifier = OnnxClassifier(model)
    starts = range(0, len(split), BATCH)
    parts = (split.take(slice(start, start + BATCH)) for start in starts)
    right = sum((classifier.run({"pixels": normalised(part.pixels)}).argmax(1) == part.labels).sum() for part in parts)
    return float(right) / len(split)


class _Training:
    """Epochs, a checkpoint after each, until the net is as good as wanted."""

    def __init__(self, folder: Path) -> None:
        self._terminal = Terminal.on_standard_error(time.perf_counter)
        self._run = RunDir(folder)
        self._dataset = cifar100()
        self._compute = Compute.local("cpu")
        self._batches = Batches(len(self._dataset.train), SETTINGS.batch, SEED)
        torch.manual_seed(SEED)
        self._net = resnet20(len(self._dataset.classes))
        self._fitter = NetFitter(self._net, SETTINGS, len(self._batches) * SETTINGS.epochs, self._compute)
        self._epochs, self._accuracy, self._wanted = 0, 0.0, wanted_accuracy()

    def run(self) -> None:
        """Go on from the checkpoint to the end; the figures are written last and say that the net is there."""
        self._resume()
        while self._accuracy < self._wanted and self._epochs < SETTINGS.epochs:
            self._learn()
            self._epochs += 1
            self._accuracy = accuracy_of(self._model(), self._dataset.test)
            self._keep()
            self._terminal.say(f"epoch {self._epochs}/{SETTINGS.epochs}: test accuracy {self._accuracy:.2%}")
        self._finish(self._model())

    def _finish(self, model: bytes) -> None:
        calibration = self._dataset.train.head(CALIBRATION_FRAMES).pixels
        int8 = quantised(model, {"pixels": normalised(calibration)}, in_float=(MEANS,))
        figures = {
            "accuracy": self._accuracy,
            "int8_accuracy": accuracy_of(int8, self._dataset.test),
            "epochs": self._epochs,
        }
        files = {MODEL_NAME: model, INT8_NAME: int8, "figures.json": json.dumps(figures).encode()}
        for name, content in files.items():
            write_whole(self._run.folder / name, partial(_write, content))

    def _learn(self) -> None:
        """One epoch."""
        self._net.train()
        order = (rows.numpy() for rows in self._batches.of(self._epochs))
        batches = training_batches(self._dataset, order, _tensors, seed=SEED, epoch=self._epochs)
        with self._terminal.bar(f"epoch {self._epochs + 1}") as progress:
            for done, (pixels, labels) in enumerate(batches, 1):
                self._fitter.step(self._loss(pixels, labels))
                progress(done, len(self._batches))

    def _loss(self, pixels: Tensor, labels: Tensor) -> Tensor:
        with self._compute.autocast():
            logits = self._net(pixels)
        return functional.cross_entropy(logits.float(), labels, label_smoothing=SETTINGS.label_smoothing)

    def _model(self) -> bytes:
        net = self._fitter.fitted
        assert isinstance(net, PixelNet)
        return net.to_onnx(SIDE, SIDE, SHRINK)

    def _keep(self) -> None:
        self._run.save_checkpoint(
            {
                "epochs": self._epochs,
                "accuracy": self._accuracy,
                "net": self._net.state_dict(),
                "fitter": self._fitter.state(),
            }
        )

    def _resume(self) -> None:
        state = self._run.checkpoint()
        if state is not None:
            self._epochs, self._accuracy = state["epochs"], state["accuracy"]
            self._net.load_state_dict(state["net"])
            self._fitter.restore(state["fitter"])


def _published() -> Dataset:
    return load(Path(os.environ["DCTWIRE_DATA"]), DATA_SEED)


def _write(content: bytes, file: IO[bytes]) -> None:
    file.write(content)


def _tensors(split: Split) -> tuple[Tensor, Tensor]:
    pixels = torch.from_numpy(normalised(split.pixels)).contiguous(memory_format=torch.channels_last)
    return pixels, torch.from_numpy(split.labels)


if __name__ == "__main__":
    sys.exit(main())
