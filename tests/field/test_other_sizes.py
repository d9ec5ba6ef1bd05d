"""Cameras that post what they make today: ordinary JPEGs of their own size, lying on their side, from phones."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cloud_server.feedback.frame_id import FrameId
from shared.bundle import Bundle, Golden
from shared.jpeg import EOI, Fit, FitMode, Limits, Resize, Stream, Transcoder, inspect
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem, ProblemCode
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, gained, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

ZOO = Path(__file__).parents[2] / "trainer/zoo"
SIZES = [(640, 480), (480, 640), (1280, 720), (33, 57), (16, 400), (40, 8), (32, 33), (1600, 1200)]


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth colourful scene that is another on every side."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, orientation: int = 1, **options: object) -> bytes:
    """A file as cameras and phones write it."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    image.save(out, "JPEG", **{"quality": 90, "exif": exif, **options})
    return out.getvalue()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Bundle]]:
    """Bundles 1 and 2 of digits, one that stretches, and one of a wide size."""
    folder = tmp_path_factory.mktemp("bundles")
    made = {
        "digits/1": write_bundle(folder / "1", "digits", 1, tables(50), seed=1),
        "digits/2": write_bundle(folder / "2", "digits", 2, tables(25), seed=2),
        "wide/1": write_bundle(folder / "3", "wide", 1, tables(50), seed=3, fit=Fit(FitMode.STRETCH)),
        "close/1": write_bundle(folder / "4", "close", 1, tables(50), seed=4, fit=Fit(share=0.5), side=64),
    }
    return {name: (folder / str(index), bundle) for index, (name, bundle) in enumerate(made.items(), 1)}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, bundles: dict[str, tuple[Path, Bundle]]
) -> Iterator[ServerHarness]:
    """A server with all of them, and digits/1 assigned; it keeps what it may."""
    with server_in_thread(tmp_path_factory.mktemp("server"), sample_random_rate=1, wait_max_seconds=30) as harness:
        for folder, _ in bundles.values():
            harness.publish(folder)
        harness.assign("digits", 1)
        yield harness


@pytest.fixture
def camera(server: ServerHarness) -> Device:
    """A device of family digits."""
    return server.enrol("digits")


def as_a_sensor_sends(bundle: Bundle, data: bytes) -> bytes:
    """The abbreviated frame that a picture becomes."""
    resize = Resize(bundle.input.height, bundle.input.width, bundle.fit)
    return Transcoder(bundle.tables, resize=resize, quantisation=bundle.settings.quantisation()).transcode(data)


def answer(device: Device, data: bytes) -> dict[str, object]:
    """What counts about the answer to a frame."""
    posted = device.post(data)
    assert posted.status_code == 200, posted.text
    return {key: posted.json()[key] for key in ("label", "confidence", "model", "match")}


@pytest.mark.parametrize("family", ["digits", "wide", "close"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_picture_of_any_size_is_answered_as_the_frame_that_a_sensor_makes_of_it(
    server: ServerHarness, bundles: dict[str, tuple[Path, Bundle]], family: str, width: int, height: int
) -> None:
    device, bundle = server.enrol(family), bundles[f"{family}/1"][1]
    data = jpeg(scene(width, height, seed=width))
    resized, exact = answer(device, data), answer(device, as_a_sensor_sends(bundle, data))
    assert resized == exact | {"match": "resized"}
    assert exact["match"] == "exact"


KINDS: dict[str, dict[str, object]] = {
    "progressive": {"progressive": True},
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "with restarts": {"restart_marker_blocks": 4},
    "optimised": {"optimize": True},
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_jpeg_is_turned_upright_first(
    camera: Device, bundles: dict[str, tuple[Path, Bundle]], kind: str, orientation: int
) -> None:
    data = jpeg(scene(640, 480), orientation, **KINDS[kind])
    exact = answer(camera, as_a_sensor_sends(bundles["digits/1"][1], data))
    assert answer(camera, data) == exact | {"match": "resized"}


def test_grey_is_a_picture_too(camera: Device, bundles: dict[str, tuple[Path, Bundle]]) -> None:
    data = jpeg(scene(640, 480).convert("L"))
    assert answer(camera, data) == answer(camera, as_a_sensor_sends(bundles["digits/1"][1], data)) | {
        "match": "resized"
    }


def test_a_picture_of_the_classifiers_size_is_only_turned_where_exif_says_so(
    camera: Device, bundles: dict[str, tuple[Path, Bundle]]
) -> None:
    own = Image.fromarray(picture(3))
    assert answer(camera, jpeg(own))["match"] == "fallback"
    for orientation in range(2, 9):
        data = jpeg(own, orientation)
        exact = answer(camera, as_a_sensor_sends(bundles["digits/1"][1], data))
        assert answer(camera, data) == exact | {"match": "resized"}


def test_the_assigned_bundle_answers_with_its_tables(tmp_path: Path, bundles: dict[str, tuple[Path, Bundle]]) -> None:
    data = jpeg(scene(640, 480))
    with server_in_thread(tmp_path) as harness:
        for counter in (1, 2):
            harness.publish(bundles[f"digits/{counter}"][0])
            device = harness.enrol("digits")
            assert answer(device, data)["model"] == "digits/1", "publishing moves nobody"
        for counter in (2, 1):
            harness.assign("digits", counter)
            exact = answer(device, as_a_sensor_sends(bundles[f"digits/{counter}"][1], data))
            assert answer(device, data) == exact | {"match": "resized"}
            assert exact["model"] == f"digits/{counter}"


def test_a_family_with_a_fallback_alone_answers_any_size(tmp_path: Path) -> None:
    fallback = write_fallback(tmp_path / "any", "digits")
    with server_in_thread(tmp_path / "server") as harness:
        harness.publish(tmp_path / "any")
        harness.release(fallback.name)
        found = answer(harness.enrol("digits"), jpeg(scene(640, 480)))
    assert (found["model"], found["match"]) == (fallback.name, "resized")


def test_it_counts_apart_and_sent_again_it_counts_once(server: ServerHarness, camera: Device) -> None:
    data, before = jpeg(scene(640, 480)), server.scrape()
    first, again = (camera.post(data, sequence=5).json() for _ in range(2))
    assert first == again
    assert gained(server, before, "dctwire_frames_total", match="resized", tables="interchange") == 1
    assert gained(server, before, "dctwire_frames_total") == 1
    assert camera.post(jpeg(scene(640, 480, seed=1)), sequence=5).json()["retry"] == "renumber"


def test_its_label_is_taken_and_its_sample_stands_upright(server: ServerHarness, camera: Device) -> None:
    data = jpeg(scene(640, 480), orientation=6)
    frame_id = FrameId.parse(camera.post(data).json()["id"])
    label = {"label": "one", "source": "human"}
    assert camera.http.put(f"/v1/frames/{frame_id}/label", json=label).status_code == 204

    operator = server.client("operator")
    wait_until(lambda: operator.get(f"/v1/samples/{frame_id}").status_code == 200)
    sample = operator.get(f"/v1/samples/{frame_id}").json()
    assert (sample["match"], sample["label"]) == ("resized", "one")
    shown = Image.open(io.BytesIO(operator.get(f"/v1/samples/{frame_id}/jpeg").content))
    assert (shown.size, shown.getexif().get(0x0112, 1)) == ((480, 640), 1)
    upright = scene(640, 480).transpose(Image.Transpose.ROTATE_270)
    difference = np.abs(np.asarray(shown).astype(int) - np.asarray(upright).astype(int))
    assert difference.mean() < 4


def test_a_batch_of_such_pictures_is_answered_frame_by_frame(camera: Device) -> None:
    files = [jpeg(scene(640, 480, seed)) for seed in range(4)]
    size = inspect(files[0]).scan_bytes
    prefix = files[0][: len(files[0]) - size - len(EOI)]
    scans = [data[len(prefix) : -len(EOI)] for data in files]
    scans[2] = scans[2][: len(scans[2]) // 2]
    batch = Batch(prefix, tuple(BatchItem(100 + index, 0, scan) for index, scan in enumerate(scans)))
    headers = {"content-type": BATCH_MEDIA_TYPE}
    results = camera.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers).json()["results"]
    assert [result.get("match", result.get("problem", {}).get("code")) for result in results] == [
        "resized",
        "resized",
        "corrupt-jpeg",
        "resized",
    ]
    assert results[1]["label"] == camera.post(files[1], sequence=7).json()["label"]


def test_the_open_inference_protocol_takes_them_too(camera: Device) -> None:
    data = [jpeg(scene(640, 480)), frame(tables(50), 1)]
    elements = [base64.b64encode(each).decode() for each in data]
    body = {"inputs": [{"name": "frame", "shape": [2], "datatype": "BYTES", "data": elements}]}
    outputs = {
        one["name"]: one["data"] for one in camera.http.post("/v2/models/digits/infer", json=body).json()["outputs"]
    }
    assert outputs["match"] == ["resized", "exact"]
    assert outputs["label"][0] == answer(camera, data[0])["label"]


def test_a_family_may_refuse_them_and_another_one_takes_them(
    tmp_path: Path, bundles: dict[str, tuple[Path, Bundle]]
) -> None:
    data = jpeg(scene(640, 480))
    with server_in_thread(tmp_path, own_size_families=" digits, other") as harness:
        for name in ("digits/1", "wide/1"):
            harness.publish(bundles[name][0])
        refused = harness.enrol("digits").post(data)
        assert (refused.status_code, refused.json()["code"]) == (422, ProblemCode.WRONG_SIZE)
        assert "640x480" in refused.json()["detail"]
        assert "takes 32x32" in refused.json()["detail"]
        assert harness.enrol("digits").post(jpeg(Image.fromarray(picture(3)), 6)).status_code == 422
        assert answer(harness.enrol("wide"), data)["match"] == "resized"


def test_an_abbreviated_frame_of_another_size_is_refused(camera: Device) -> None:
    refused = camera.post(frame(tables(50), side=64))
    assert (refused.status_code, refused.json()["code"]) == (422, ProblemCode.WRONG_SIZE)


def test_a_damaged_or_unbounded_picture_is_refused_for_what_it_is(camera: Device) -> None:
    whole = jpeg(scene(640, 480))
    large = jpeg(Image.new("RGB", (5000, 4000)))
    assert Limits().max_pixels < 5000 * 4000
    cases = {
        "corrupt-jpeg": whole[: len(whole) // 2] + EOI,
        "over-limit": large,
        "too-large": whole + bytes(8 << 20),
        "unsupported-jpeg": jpeg(scene(640, 480).convert("CMYK")),
    }
    assert {camera.post(data).json()["code"] for data in cases.values()} == set(cases)
    assert answer(camera, whole)["match"] == "resized"


def test_a_phones_picture_of_12_megapixels_is_taken(camera: Device) -> None:
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 40, (3000, 4000, 1), dtype=np.uint8)
    pixels = np.asarray(scene(4000, 3000)) // 2 + grain
    data = jpeg(Image.fromarray(pixels), orientation=6, quality=85, progressive=True)
    assert 2 << 20 < len(data) < 8 << 20
    assert answer(camera, data)["match"] == "resized"


def test_the_zoos_classifier_says_of_large_pictures_what_it_says_of_the_sensors_frames(tmp_path: Path) -> None:
    folder = ZOO / "cifar100-150"
    bundle = Bundle.from_bytes((folder / "bundle.json").read_bytes())
    golden = Golden.from_bytes((folder / "golden.json").read_bytes())
    encoder = bundle.encoding.encoder()
    agreements = []
    with server_in_thread(tmp_path) as harness:
        harness.publish(folder)
        device = harness.enrol(bundle.family)
        for data in golden.frames[:40]:
            plain = Transcoder(bundle.tables, source=bundle.tables).transcode(data, Stream.INTERCHANGE)
            large = Image.new("RGB", (640, 480))
            small = Image.open(io.BytesIO(plain)).convert("RGB")
            large.paste(small.resize((480, 480), Image.Resampling.BICUBIC), (80, 0))
            file = jpeg(large)
            shown = Image.open(io.BytesIO(file)).resize((32, 32), Image.Resampling.LANCZOS, box=(80, 0, 560, 480))
            sensors = encoder.encode(np.asarray(shown), Stream.ABBREVIATED)
            found, expected = answer(device, file), answer(device, sensors)
            assert (found["match"], expected["match"]) == ("resized", "exact")
            agreements.append(found["label"] == expected["label"])
    assert sum(agreements) >= 38, sum(agreements)
