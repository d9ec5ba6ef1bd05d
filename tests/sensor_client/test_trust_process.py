"""What is signed is verified in another process, with the same results, errors and files as in this one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client import trust_process
from sensor_client.clock import SystemClock
from sensor_client.trust_process import TrustProcess
from shared.errors import ChannelError
from shared.trust import Fetch, NotPublishedError, TrustClient, TrustError
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.signed_bundles import Publisher, make_bundle

V1 = make_bundle(1)


def fetch_from(publisher: Publisher) -> Fetch:
    def fetch(path: str, _limit_bytes: int, _seconds: float) -> Iterator[bytes]:
        file = publisher.directory / path
        if not file.exists():
            raise NotPublishedError(path)
        yield file.read_bytes()

    return fetch


def refusing(_path: str, _limit_bytes: int, _seconds: float) -> Iterator[bytes]:
    raise ChannelError("the line is down", retry_after_seconds=7.0)
    yield


def process_of(tmp_path: Path, publisher: Publisher, fetch: Fetch | None = None) -> TrustProcess:
    return TrustProcess(tmp_path / "trust", publisher.root, fetch or fetch_from(publisher), V1.family, SystemClock())


def test_a_target_is_verified_as_in_this_process(tmp_path: Path, publisher: Publisher) -> None:
    publisher.publish(V1)
    here = TrustClient(tmp_path / "here", publisher.root, fetch_from(publisher), V1.family)
    there = process_of(tmp_path, publisher)

    assert there.download(V1.target_path) == here.download(V1.target_path)
    assert there.download(V1.target_path, [V1.to_bytes()]).data == V1.to_bytes()
    assert there.refresh().targets_version == here.standing().targets_version
    assert (tmp_path / "trust" / "targets.json").read_bytes() == (tmp_path / "here" / "targets.json").read_bytes()


def test_what_does_not_verify_is_an_error_of_trust(tmp_path: Path, publisher: Publisher) -> None:
    publisher.publish(V1)
    stranger = TrustProcess(
        tmp_path / "t", Publisher(tmp_path / "other").root, fetch_from(publisher), V1.family, SystemClock()
    )

    with pytest.raises(TrustError):
        stranger.refresh()
    with pytest.raises(TrustError, match="no such target"):
        process_of(tmp_path, publisher).download(f"{V1.family}/77.json")


def test_a_line_that_is_down_is_told_as_it_was_met(tmp_path: Path, publisher: Publisher) -> None:
    with pytest.raises(ChannelError, match="the line is down") as told:
        process_of(tmp_path, publisher, refusing).refresh()

    assert told.value.retry_after_seconds == 7.0


def test_a_disk_that_takes_nothing_is_an_error_of_the_disk(tmp_path: Path, publisher: Publisher) -> None:
    publisher.publish(V1)
    (tmp_path / "file").write_text("")
    process = TrustProcess(tmp_path / "file" / "trust", publisher.root, refusing, V1.family, SystemClock())

    with pytest.raises(OSError, match="file"):
        process.refresh()


@pytest.mark.parametrize("program", ["", "print('rubbish', end='')", "import time; time.sleep(60)"])
def test_a_process_that_ends_or_hangs_costs_one_attempt(
    tmp_path: Path, publisher: Publisher, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust_process, "PROGRAM", program)
    monkeypatch.setattr(trust_process, "DEADLINE_SECONDS", 0.5)

    with pytest.raises(ChannelError, match="the process that verifies"):
        process_of(tmp_path, publisher).refresh()


def test_the_files_are_looked_at_once_an_hour(
    tmp_path: Path, publisher: Publisher, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(V1)
    process = TrustProcess(tmp_path / "trust", publisher.root, fetch_from(publisher), V1.family, clock)
    standing = process.refresh()
    monkeypatch.setattr(trust_process, "PROGRAM", "")

    assert process.standing() == standing
    clock.elapsed_seconds += trust_process.STANDING_SECONDS
    with pytest.raises(ChannelError):
        process.standing()
