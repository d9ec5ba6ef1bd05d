"""`dctwire bundle`: a bundle becomes C whose frames the server answers as its own, and what is none is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from shared.bundle import Bundle, EncoderSettings
from shared.jpeg import TableSet
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.c_library import Camera, bundle_of, compiled_from
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import picture, tables
from tests.cloud_server.harness.server import server_in_thread
from tests.system_packages import required


def typed(*words: str | Path) -> Result:
    """Run `dctwire bundle to-c WORDS`."""
    return CliRunner().invoke(app, ["bundle", "to-c", *map(str, words)])


def stored(folder: Path, bundle: Bundle) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.json").write_bytes(bundle.to_bytes())
    return folder


def test_frames_of_the_written_library_are_answered_as_exact(tmp_path: Path) -> None:
    required("gcc")
    weights = np.full((3, 64), 0.02)
    settings = EncoderSettings.nearest(0.4, np.arange(64) > 50, weights)
    write_bundle(tmp_path / "v1", "camera", 1, tables(40), settings=settings)
    said = typed(tmp_path / "v1", "--out", tmp_path / "firmware")
    assert said.exit_code == 0, said.output
    with server_in_thread(tmp_path / "server") as server:
        server.publish(tmp_path / "v1")
        server.assign("camera", 1)
        device = server.enrol("camera")
        with Camera(compiled_from(tmp_path / "firmware", "camera.c", "-O2")) as camera:
            answers = [device.post(camera.encode(picture(seed).tobytes())).json() for seed in range(4)]
    assert {answer["match"] for answer in answers} == {"exact"}
    assert all(answer["label"] for answer in answers)


def test_the_files_and_what_they_are_of_are_named(tmp_path: Path) -> None:
    bundle = bundle_of(tables(50))
    folder, out = stored(tmp_path / "v1", bundle), tmp_path / "made" / "here"
    document = json.loads(typed(folder / "bundle.json", "--out", out, "--json").stdout)
    files = [out / "dctwire_camera.h", out / "dctwire_camera.c"]
    assert document == {
        "bundle": "camera/1",
        "tables_id": bundle.tables.tables_id,
        "library": "dctwire_camera",
        "files": [str(file) for file in files],
    }
    assert sorted(out.iterdir()) == sorted(files)
    said = typed(folder, "--out", out).stdout
    assert said.startswith(f"{files[0]} and {files[1]} make frames of camera/1 (32 x 32 pixels).\nNext: compile")


def test_the_next_bundle_of_the_family_takes_the_same_names(tmp_path: Path) -> None:
    typed(stored(tmp_path / "v1", bundle_of(tables(50))), "--out", tmp_path)
    before = (tmp_path / "dctwire_camera.c").read_text()
    typed(stored(tmp_path / "v2", bundle_of(tables(60))), "--out", tmp_path)
    assert (tmp_path / "dctwire_camera.c").read_text() != before


def test_what_is_no_bundle_is_refused_and_nothing_written(tmp_path: Path) -> None:
    write_fallback(tmp_path / "any", "digits")
    (tmp_path / "large.json").write_bytes(b" " * 5000)
    for path in (tmp_path / "any" / "fallback.json", tmp_path / "large.json", tmp_path / "gone.json"):
        refused = typed(path, "--out", tmp_path / "firmware", "--json")
        error = json.loads(refused.stdout)["error"]
        assert (refused.exit_code, error["code"]) == (1, "disk" if path.name == "gone.json" else "invalid-bundle")
        assert error["next"]
    assert not (tmp_path / "firmware").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lapping": {"taps": 4}}, "unsupported-bundle"),
        ({"selftest": {"seed": 1, "sha256": "0" * 64}}, "selftest-failed"),
    ],
)
def test_a_bundle_that_this_codec_cannot_reproduce_is_refused(
    tmp_path: Path, change: dict[str, object], code: str
) -> None:
    fields = json.loads(bundle_of(tables(50)).to_bytes()) | change
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(fields, sort_keys=True, separators=(",", ":")))
    refused = typed(path, "--out", tmp_path / "firmware", "--json")
    assert json.loads(refused.stdout)["error"]["code"] == code
    assert not (tmp_path / "firmware").exists()


def test_weights_that_whole_numbers_cannot_hold_are_refused_with_what_to_do(tmp_path: Path) -> None:
    weights = np.where(np.arange(64) % 2, 1900.0, 2**-20) * np.ones((3, 1))
    bundle = bundle_of(TableSet.standard(50), EncoderSettings.nearest(weights=weights))
    refused = typed(stored(tmp_path / "v1", bundle), "--out", tmp_path / "firmware")
    assert refused.exit_code == 1
    assert "the weights of component 0 lie too far apart" in refused.stderr
    assert "Next: Export the bundle again without rdo_weights" in refused.stderr


def test_an_empty_name_of_a_folder_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stored(tmp_path / "v1", bundle_of(tables(50)))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    said = typed(folder, "--out", "")
    assert said.exit_code == 2 and "name a folder" in said.output
    assert list((tmp_path / "here").iterdir()) == []
