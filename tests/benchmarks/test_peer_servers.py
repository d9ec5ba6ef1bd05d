"""The peers, over real sockets: both classify uploads as their net does offline, whoever else asks meanwhile."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import codec_pictures
from benchmarks.imagenet_nets import settle
from benchmarks.load import Plan, Request, run
from benchmarks.peer_servers import PeerServer, uploads
from benchmarks.pixel_nets import resnet20
from benchmarks.pixels import as_received, normalised
from tests.cloud_server.harness.frames import Pixels
from tests.system_packages import required_modules

PATIENCE = 30  # runs of a load generator until the first answer must be there
LABELS = [f"label {index}" for index in range(10)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that says different things of different pictures."""
    folder = tmp_path_factory.mktemp("peer")
    torch.manual_seed(0)
    net = resnet20(len(LABELS))
    settle(net, torch.from_numpy(normalised(as_received(codec_pictures.pictures(32)[:64]))))
    (folder / "classifier.onnx").write_bytes(net.to_onnx(32, 32, shrink=4))
    (folder / "labels.json").write_text(json.dumps(LABELS))
    return folder


@pytest.mark.parametrize("endpoint", ["sync", "thread", "loop"])
def test_fastapi_answers_as_its_net_does(folder: Path, endpoint: str) -> None:
    required_modules("python_multipart")
    check(folder, ("peer_fastapi", "--endpoint", endpoint), "/classify")


@pytest.mark.parametrize("queue", [(), ("--fast-queue",)], ids=["manager", "zeromq"])
def test_litserve_answers_as_its_net_does(folder: Path, queue: tuple[str, ...]) -> None:
    required_modules("litserve")
    check(folder, ("peer_litserve", *queue), "/predict")


def test_a_peer_that_does_not_start_says_why(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="--no-such-option"):
        PeerServer(("peer_fastapi", "--no-such-option"), folder, core(), uploads(folder, pictures(), "/")[0])


def check(folder: Path, command: tuple[str, ...], path: str) -> None:
    """It must answer right, also after a rest."""
    requests = uploads(folder, pictures(), path)
    assert len({request.labels for request in requests}) > 1
    with PeerServer(command, folder, core(), requests[0]) as peer:
        for _ in range(2):
            with peer.awake():
                assert frames_answered(peer, requests) > 0


def frames_answered(peer: PeerServer, requests: tuple[Request, ...]) -> int:
    """By eight clients, each answer right; patient on a busy machine."""
    host, port = peer.address
    plan = Plan(host=host, port=port, clients=(requests,) * 8, seconds=0.3, warm_seconds=0)
    for _ in range(PATIENCE):
        report = run(plan)
        assert report.failed == 0
        if report.frames:
            return report.frames
    return 0


def pictures() -> Pixels:
    return codec_pictures.pictures(32)[:32]


def core() -> int:
    """One that this process may use."""
    return min(os.sched_getaffinity(0))


def test_pixels_come_normalised_channels_first() -> None:
    pixels = np.zeros((2, 4, 6, 3), np.uint8)
    pixels[..., 0] = 255
    planes = normalised(pixels)
    assert planes.shape == (2, 3, 4, 6)
    assert planes.dtype == np.float32
    np.testing.assert_allclose(planes[0, :, 0, 0], [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-5)
