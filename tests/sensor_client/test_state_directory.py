"""What a device must not forget, and who may touch it."""

from pathlib import Path

import pytest

from sensor_client.ota import UpdateStateFile
from sensor_client.state_directory import Identity, StateDirectory, StateError
from shared.wire import Enrolment
from tests.sensor_client.device_plane import SECRET, TOKEN

IDENTITY = Identity(
    server_url="http://host:8000", enrolment=Enrolment(device_id="dev1", token=TOKEN, family="signs"), secret=SECRET
)


def test_an_identity_is_kept_in_a_file_for_its_owner_only(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "new" / "device")
    state.make()

    state.enrol(IDENTITY)

    assert state.identity() == IDENTITY
    assert state.identity_file.stat().st_mode & 0o777 == 0o600
    assert state.path.stat().st_mode & 0o077 == 0


def test_a_token_shows_in_no_text_of_an_identity() -> None:
    assert TOKEN not in repr(IDENTITY) and TOKEN not in str(IDENTITY) and TOKEN not in f"{[IDENTITY]}"


FILES = ("identity.json", "identity-copy.json", "root.json", "root-copy.json", "secret")


@pytest.mark.parametrize("content", [None, b"", b"{", bytes(100)])
@pytest.mark.parametrize("name", FILES)
def test_any_one_file_may_go_and_comes_back(tmp_path: Path, name: str, content: bytes | None) -> None:
    state = StateDirectory(tmp_path)
    state.secret(fresh=SECRET)
    state.keep_root(b'{"signed": {}}')
    state.enrol(IDENTITY)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    if content is None:
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)

    assert state.identity() == IDENTITY and state.root() == b'{"signed": {}}'
    state.repair()

    assert {path: path.read_bytes() for path in before} == before


def test_what_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "device")
    (state.slots / "below").mkdir(parents=True)
    (state.slots / "below" / "a.json").write_bytes(b"x")
    (state.slots / "active").symlink_to("below/a.json")
    outside = tmp_path / "outside"
    outside.write_bytes(b"not ours")
    outside.chmod(0o644)
    (state.slots / "link").symlink_to(outside)

    state.repair()

    modes = {path.name: path.stat().st_mode & 0o777 for path in (state.path, state.slots, *state.slots.rglob("*.json"))}
    assert modes == {"device": 0o700, "bundles": 0o700, "a.json": 0o600}
    assert outside.stat().st_mode & 0o777 == 0o644


def test_since_when_a_token_is_refused_is_kept_and_forgotten(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)

    state.note_refused(1_700_000_000.4)
    assert state.refused_since() == 1_700_000_000
    state.note_refused(None)
    state.note_refused(None)

    assert state.refused_since() is None


@pytest.mark.parametrize("damage", ["nan", "inf", "1e308", "-5"])
def test_a_refusal_whose_time_is_none_stays_one_and_can_be_shown(tmp_path: Path, damage: str) -> None:
    (tmp_path / "refused-since").write_text(damage)

    assert StateDirectory(tmp_path).refused_since() == 0.0


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


def test_a_lock_that_has_become_a_directory_keeps_nobody_out(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    (tmp_path / "lock").mkdir()
    with state.claimed(), pytest.raises(StateError, match="another"), state.claimed():
        pass
