"""What a device must not forget, and who may touch it."""

from pathlib import Path

import pytest

from sensor_client.ota import UpdateStateFile
from sensor_client.state_directory import Identity, StateDirectory, StateError
from shared.wire import Enrolment
from tests.sensor_client.device_plane import SECRET, TOKEN

IDENTITY = Identity(server_url="http://host:8000", enrolment=Enrolment(device_id="dev1", token=TOKEN, family="signs"))


def test_an_identity_is_kept_in_a_file_for_its_owner_only(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "new" / "device")
    state.make()

    state.enrol(IDENTITY)

    assert state.identity() == IDENTITY
    assert state.identity_file.stat().st_mode & 0o777 == 0o600
    assert state.path.stat().st_mode & 0o077 == 0


def test_a_token_shows_in_no_text_of_an_identity() -> None:
    assert TOKEN not in repr(IDENTITY) and TOKEN not in str(IDENTITY) and TOKEN not in f"{[IDENTITY]}"


@pytest.mark.parametrize("content", ["", "{", "{}", '{"server_url": "x", "enrolment": {}}'])
def test_a_damaged_identity_is_named_and_its_content_is_not_told(tmp_path: Path, content: str) -> None:
    state = StateDirectory(tmp_path)
    state.identity_file.write_text(content)

    with pytest.raises(StateError, match=r"identity\.json cannot be read"):
        state.identity()


def test_a_device_keeps_the_secret_that_it_made_first(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)

    assert state.secret(fresh=SECRET) == SECRET == state.secret(fresh=SECRET[::-1])
    assert state.secret_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", SECRET.encode()[:42], SECRET.encode() + b"\n", bytes(64), b"\xff" * 64])
def test_a_damaged_secret_is_replaced(tmp_path: Path, content: bytes) -> None:
    state = StateDirectory(tmp_path)
    state.secret_file.write_bytes(content)

    assert state.secret(fresh=SECRET) == SECRET == state.secret_file.read_text()


def test_one_process_works_in_a_directory_at_a_time(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)

    with state.claimed(), pytest.raises(StateError, match="another dctwire-sensor"), state.claimed():
        pass

    with state.claimed():
        pass


def test_a_place_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateError, match="file"):
        StateDirectory(tmp_path / "file" / "device").make()


def test_the_floor_that_an_earlier_program_noted_still_holds(tmp_path: Path) -> None:
    (tmp_path / "settled.json").write_text(
        '{"seq":1,"floor_counter":9,"activations":3,"refusals":0,"last_refused":null}'
    )

    kept = UpdateStateFile(StateDirectory(tmp_path).update_state_file).load()

    assert (kept.seq, kept.floor_counter, kept.activations) == (1, 9, 3)
    assert not (tmp_path / "settled.json").exists()
