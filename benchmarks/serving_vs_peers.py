"""dctwire against what a user would build today: FastAPI or LitServe, Pillow, numpy, an RGB net in ONNX Runtime.

Servers are pinned to one core and take turns; what does not serve rests. The load generator (`benchmarks.load`) has
another core: closed loops, single POSTs, every answer held to what the side's own net says of the picture offline.
The same pictures for all: the peers get ordinary JPEG files of quality 75 as multipart uploads, dctwire its abbreviated
frames, whose answers it stores before it gives them. ONNX Runtime has one thread everywhere, on float32 unless int8 is
said.

32 px, 64 clients: the zoo's net against ResNet-20, trained on the same pictures to the same accuracy. `dctwire` is the
server's own choice between its net in float32 and in int8 (`serves_int8_...` is 1 where it took that), `dctwire_fp32`
a server that has no choice. A peer is measured in its best form: FastAPI's three ways to answer and LitServe's waits
and queues compete first, for frames a second (`fps_try_...`).
224 px, 16 clients: the serving net of that size against MobileNetV2 and ResNet-50 behind FastAPI. Nothing was trained
at that size: random weights, times alone; `multiplications_...` and `parameters_...` say how large the nets are.

`fps_vs_...` and `p99_vs_...` are medians of the rounds' ratios, dctwire's by the other's; `fps_...` and `p99_ms_...`
are medians. n counts the rounds.
"""

import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from benchmarks import codec_pictures, record, serving_vs_peers_report
from benchmarks.bundle_frames import BundleFrames
from benchmarks.imagenet_nets import SHRINK, mobilenet_v2, multiplications, resnet50, settle
from benchmarks.load import FIRST_NUMBER, NUMBERS_A_RUN, Plan, Report, Request, run
from benchmarks.peer_servers import PeerServer, uploads
from benchmarks.pinned_server import PinnedServer
from benchmarks.pixel_nets import PixelNet, resnet20
from benchmarks.pixels import as_received, normalised
from benchmarks.resnet20_cifar100 import EQUAL_TO, ZOO, Trained, cifar100_test, trained
from benchmarks.untrained_bundle import write_untrained
from shared.bundle import BUNDLE_NAME
from trainer import zoo
from trainer.encoding import streams
from trainer.export.bundle import read_bundle
from trainer.export.classifier import OnnxClassifier
from trainer.training.fitting import parameter_count
from trainer.zoo import Entry

SERVER_CORE, LOAD_CORE = 0, 1
A_POINT = 0.01
ROUNDS = 7
SECONDS, TRIAL_SECONDS, WARM_SECONDS = 3.0, 2.0, 1.0
CLIENTS = {32: 64, 224: 16}
SETTLED_ON = 16  # pictures
ENDPOINTS = ("sync", "thread", "loop")
QUEUES = {"manager": (), "zeromq": ("--fast-queue",)}
WAITS_MS = (1, 5, 20)
FASTAPI = {endpoint: ("peer_fastapi", "--endpoint", endpoint) for endpoint in ENDPOINTS}
LITSERVE = {
    f"{queue}_{wait}ms": ("peer_litserve", "--wait", f"{wait / 1000:g}", *options)
    for queue, options in QUEUES.items()
    for wait in WAITS_MS
}
PATHS = {"peer_fastapi": "/classify", "peer_litserve": "/predict"}
PACKAGES = ("fastapi", "uvicorn", "litserve", "pillow", "onnxruntime")

Rounds = Mapping[str, Sequence[Report]]
FIGURES: Mapping[str, Callable[[Report], float]] = {
    "fps": lambda report: report.frames_per_second,
    "p50_ms": lambda report: report.latency_ms["50"],
    "p99_ms": lambda report: report.latency_ms["99"],
}


@dataclass(frozen=True)
class Side:
    """A server that is up, and what each of its clients sends in turns.

    Args:
        awake: within it the server runs.
    """

    address: tuple[str, int]
    clients: Sequence[tuple[Request, ...]]
    awake: Callable[[], AbstractContextManager[None]] = nullcontext
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_NUMBER, NUMBERS_A_RUN))

    def measure(self, seconds: float) -> Report:
        """Under load.

        Raises:
            RuntimeError: an answer was wrong, or missing.
        """
        host, port = self.address
        plan = Plan(
            host=host,
            port=port,
            clients=tuple(self.clients),
            seconds=seconds,
            warm_seconds=WARM_SECONDS,
            first_number=next(self._numbers),
            core=LOAD_CORE,
        )
        with self.awake():
            report = run(plan)
        if report.failed or not report.frames:
            raise RuntimeError(f"not every request was answered right: {report}")
        return report


@dataclass(frozen=True)
class Size:
    """Everyone at one size of pictures; `stack` ends them."""

    side: int
    stack: ExitStack

    def server(self, folder: Path) -> PinnedServer:
        """dctwire with a bundle folder."""
        server = self.stack.enter_context(PinnedServer(SERVER_CORE))
        server.publish(folder)
        return server

    def ours(self, server: PinnedServer, folder: Path) -> Side:
        """Clients of the server that has this bundle folder."""
        frames = BundleFrames(folder)
        tokens = [server.enrol(frames.bundle.family) for _ in range(CLIENTS[self.side])]
        return Side(server.device_address, [frames.singles(token) for token in tokens])

    def theirs(self, command: Sequence[str], folder: Path) -> Side:
        """A peer with a folder's classifier."""
        requests = uploads(folder, codec_pictures.pictures(self.side), PATHS[command[0]])
        peer = self.stack.enter_context(PeerServer(command, folder, SERVER_CORE, requests[0]))
        return Side(peer.address, [requests] * CLIENTS[self.side], peer.awake)


def main() -> int:
    """Measure in turns, record, draw."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        figures = small_pictures(Path(name)) | large_pictures(Path(name))
    serving_vs_peers_report.draw(figures)
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    record.write("serving_vs_peers", ROUNDS, figures, f"the servers on one; {packages}")
    return 0


def small_pictures(folder: Path) -> dict[str, float]:
    """At 32 px."""
    ours, rival = zoo.read(ZOO, EQUAL_TO), trained()
    accuracies = accuracies_of(ours, rival)
    plain, int8 = (
        peer_folder(folder / name, model, ours.content.labels)
        for name, model in {"resnet20": rival.model, "resnet20_int8": rival.int8}.items()
    )
    fastapi, of_fastapi = best(FASTAPI, plain)
    litserve, of_litserve = best(LITSERVE, plain)
    with ExitStack() as stack:
        at = Size(32, stack)
        float32 = without_int8(ours.folder, folder / "fp32")
        server = at.server(ours.folder)
        sides = {
            "dctwire": at.ours(server, ours.folder),
            "dctwire_fp32": at.ours(at.server(float32), float32),
            "fastapi_pillow": at.theirs(fastapi, plain),
            "fastapi_pillow_int8": at.theirs(fastapi, int8),
            "litserve": at.theirs(litserve, plain),
            "litserve_int8": at.theirs(litserve, int8),
        }
        figures = figures_of(in_turns(sides, 32), 32)
        figures["serves_int8_dctwire_32"] = float(server.precisions() == ["int8"])
    return figures | accuracies | of_fastapi | of_litserve | sizes_of("resnet20", resnet20(100), 32)


def large_pictures(folder: Path) -> dict[str, float]:
    """At 224 px."""
    pixels = codec_pictures.pictures(224)
    own = write_untrained(folder / "untrained", pixels)
    figures = {f"{what}_dctwire_224": float(count) for what, count in own.items()}
    with ExitStack() as stack:
        at = Size(224, stack)
        sides = {"dctwire": at.ours(at.server(folder / "untrained"), folder / "untrained")}
        for name, make in {"mobilenetv2": mobilenet_v2, "resnet50": resnet50}.items():
            net = make()
            sides[name] = at.theirs(FASTAPI["sync"], untrained_peer(folder / name, net, pixels))
            figures |= sizes_of(name, net, 224)
        return figures | figures_of(in_turns(sides, 224), 224)


def accuracies_of(ours: Entry, rival: Trained) -> dict[str, float]:
    """Shares of right test pictures.

    Raises:
        RuntimeError: the two nets are no equals.
    """
    if abs(ours.evaluation.accuracy - rival.accuracy) > A_POINT:
        raise RuntimeError(f"{ours.name} is right about {ours.evaluation.accuracy:.2%}, its rival {rival.accuracy:.2%}")
    _, files = read_bundle(ours.folder)
    assert files.int8 is not None
    levels = streams.quantise(ours.content.encoding, cifar100_test())
    right = OnnxClassifier(files.int8).logits(levels).argmax(1) == levels.labels.numpy()
    return {
        "accuracy_dctwire": ours.evaluation.accuracy,
        "accuracy_dctwire_int8": float(right.mean()),
        "accuracy_resnet20": rival.accuracy,
        "accuracy_resnet20_int8": rival.int8_accuracy,
    }


def best(commands: Mapping[str, Sequence[str]], folder: Path) -> tuple[Sequence[str], dict[str, float]]:
    """The form of a peer that answers most frames, and how many each answered."""
    tried = {}
    for name, command in track(commands.items(), "which form of a peer is the fastest"):
        with ExitStack() as stack:
            report = Size(32, stack).theirs(command, folder).measure(TRIAL_SECONDS)
        tried[f"fps_try_{command[0].removeprefix('peer_')}_{name}"] = report.frames_per_second
    fastest = max(zip(tried.values(), commands.values(), strict=True))
    return fastest[1], tried


def without_int8(source: Path, target: Path) -> Path:
    """A bundle folder whose classifier has no twin in eight bits."""
    bundle, files = read_bundle(source)
    plain = replace(files, int8=None)
    plain.write(target, BUNDLE_NAME, bundle.model_copy(update={"classifier": plain.ref}).to_bytes())
    return target


def untrained_peer(folder: Path, net: PixelNet, pixels: NDArray[np.uint8]) -> Path:
    """A peer's folder with an untrained net."""
    settle(net, torch.from_numpy(normalised(as_received(pixels[:SETTLED_ON]))))
    side = pixels.shape[1]
    return peer_folder(folder, net.to_onnx(side, side, SHRINK), [str(n) for n in range(net.head.out_features)])


def peer_folder(folder: Path, model: bytes, labels: Sequence[str]) -> Path:
    """A peer's classifier on disk."""
    folder.mkdir()
    (folder / "classifier.onnx").write_bytes(model)
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


def sizes_of(name: str, net: PixelNet, side: int) -> dict[str, float]:
    """How large a net is."""
    return {
        f"multiplications_{name}": multiplications(net.eval(), torch.zeros(1, 3, side, side)),
        f"parameters_{name}": parameter_count(net),
    }


def in_turns(sides: Mapping[str, Side], size: int) -> Rounds:
    """Every side once a round, each round beginning with another one."""
    rounds: dict[str, list[Report]] = {name: [] for name in sides}
    names = list(sides)
    for _ in track(range(ROUNDS), f"{size} px"):
        for name in names:
            rounds[name].append(sides[name].measure(SECONDS))
        names.append(names.pop(0))
    return rounds


def figures_of(rounds: Rounds, side: int) -> dict[str, float]:
    """Each side's medians, and dctwire against the others."""
    figures = {}
    for name, reports in rounds.items():
        for figure, of in FIGURES.items():
            figures[f"{figure}_{name}_{side}"] = statistics.median(map(of, reports))
    for name in rounds:
        if name != "dctwire":
            figures[f"fps_vs_{name}_{side}"] = ratio(rounds, "dctwire", name, FIGURES["fps"])
            figures[f"p99_vs_{name}_{side}"] = ratio(rounds, "dctwire", name, FIGURES["p99_ms"])
            if "dctwire_fp32" in rounds.keys() - {name}:
                figures[f"fps_fp32_vs_{name}_{side}"] = ratio(rounds, "dctwire_fp32", name, FIGURES["fps"])
    return figures


def ratio(rounds: Rounds, ours: str, theirs: str, of: Callable[[Report], float]) -> float:
    """One side's figure by another's: the median over the rounds."""
    return statistics.median(of(one) / of(other) for one, other in zip(rounds[ours], rounds[theirs], strict=True))


if __name__ == "__main__":
    sys.exit(main())
