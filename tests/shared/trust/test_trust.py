"""TUF from both sides: what a publisher may do, and what a device refuses. One attack, one test."""

import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import ChannelError
from shared.trust import (
    TIMESTAMP_FILE,
    NotPublishedError,
    Repository,
    Role,
    TrustClient,
    TrustError,
    add_target,
    create_key,
    create_root,
    create_targets,
    load_key,
)


@dataclass
class Site:
    """A publisher's keys and a repository, and devices that fetch from it."""

    keys: Path
    public: dict[str, bytes]
    repository: Repository

    def device(self, directory: Path) -> TrustClient:
        return TrustClient(directory, self.repository.root(), self.fetch)

    def fetch(self, path: str) -> Iterator[bytes]:
        if path not in self.public:
            raise NotPublishedError(path)
        yield self.public[path]

    def publish(self, path: str, data: bytes, now: datetime | None = None) -> None:
        now = now or datetime.now(UTC)
        self.public |= self.repository.publish(self.sign(path, data, now), {path: data}, now)

    def sign(self, path: str, data: bytes, now: datetime) -> bytes:
        return add_target(self.repository.targets(), path, data, {"n": 1}, load_key(self.keys, Role.TARGETS), now)


def make_site(directory: Path, now: datetime) -> Site:
    signers = {role: create_key(directory / "keys", role) for role in Role}
    public: dict[str, bytes] = {}
    repository = Repository(
        public.get, snapshot_signer=signers[Role.SNAPSHOT], timestamp_signer=signers[Role.TIMESTAMP]
    )
    public |= repository.initialise(create_root(signers, now), create_targets(signers[Role.TARGETS], now), now)
    return Site(directory / "keys", public, repository)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path / "site", datetime.now(UTC))


def test_a_device_gets_what_was_published(site: Site, tmp_path: Path) -> None:
    site.publish("doorbell/1.json", b"one")
    site.publish("doorbell/2.json", b"two")
    device = site.device(tmp_path / "device")
    assert device.download("doorbell/2.json").data == b"two"
    assert device.download("doorbell/1.json").custom == {"n": 1}


def test_no_other_process_follows_the_metadata_in_the_same_folder_meanwhile(site: Site, tmp_path: Path) -> None:
    site.publish("doorbell/1.json", b"one")
    folder = tmp_path / "device"
    could_lock = []

    def fetch(path: str) -> Iterator[bytes]:
        could_lock.append(can_lock(folder / "lock"))
        return site.fetch(path)

    device = TrustClient(folder, site.repository.root(), fetch)
    device.download("doorbell/1.json")
    device.targets()

    assert could_lock and not any(could_lock)
    assert can_lock(folder / "lock")


def can_lock(path: Path) -> bool:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@pytest.mark.parametrize("signed_by", ["nobody", "another key"])
def test_a_root_that_did_not_sign_itself_begins_no_repository(tmp_path: Path, signed_by: str) -> None:
    now = datetime.now(UTC)
    signers = {role: create_key(tmp_path, role) for role in Role}
    root = json.loads(create_root(signers, now))
    if signed_by == "nobody":
        root["signatures"] = []
    else:
        other = create_root(signers | {Role.ROOT: create_key(tmp_path / "other", Role.ROOT)}, now)
        root["signatures"][0]["sig"] = json.loads(other)["signatures"][0]["sig"]
    nothing: dict[str, bytes] = {}
    repository = Repository(
        nothing.get, snapshot_signer=signers[Role.SNAPSHOT], timestamp_signer=signers[Role.TIMESTAMP]
    )

    with pytest.raises(TrustError, match="root metadata"):
        repository.initialise(json.dumps(root).encode(), create_targets(signers[Role.TARGETS], now), now)


def test_a_target_nobody_signed_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="no such target is signed"):
        site.device(tmp_path / "device").download("doorbell/1.json")


def test_a_tampered_target_is_refused(site: Site, tmp_path: Path) -> None:
    site.publish("doorbell/1.json", b"one")
    [name] = [name for name in site.public if name.startswith("targets/doorbell/")]
    site.public[name] = b"two"
    with pytest.raises(TrustError):
        site.device(tmp_path / "device").download("doorbell/1.json")


def test_targets_signed_with_another_key_are_refused_by_the_server(site: Site, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    stranger = create_key(tmp_path / "stranger", Role.TARGETS)
    forged = add_target(site.repository.targets(), "doorbell/1.json", b"evil", {}, stranger, now)
    with pytest.raises(TrustError, match="targets"):
        site.repository.publish(forged, {"doorbell/1.json": b"evil"}, now)


def test_a_whole_forged_repository_is_refused_by_the_device(site: Site, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    forged = make_site(tmp_path / "forged", now)
    forged.publish("doorbell/1.json", b"evil")
    device = TrustClient(tmp_path / "device", site.repository.root(), forged.fetch)
    with pytest.raises(TrustError):
        device.download("doorbell/1.json")


def test_a_server_that_goes_back_in_time_is_refused(site: Site, tmp_path: Path) -> None:
    site.publish("doorbell/1.json", b"one")
    old = site.public[TIMESTAMP_FILE]
    site.publish("doorbell/2.json", b"two")
    device = site.device(tmp_path / "device")
    device.download("doorbell/2.json")
    site.public[TIMESTAMP_FILE] = old
    with pytest.raises(TrustError):
        device.download("doorbell/1.json")


def test_expired_metadata_is_refused(tmp_path: Path) -> None:
    stale = make_site(tmp_path / "site", datetime.now(UTC) - timedelta(days=2))
    with pytest.raises(TrustError, match="expired"):
        stale.device(tmp_path / "device").download("doorbell/1.json")


def test_refreshing_keeps_a_quiet_repository_alive(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    site = make_site(tmp_path / "site", now - timedelta(days=2))
    site.publish("doorbell/1.json", b"one", now - timedelta(days=2))
    site.public |= site.repository.refresh(now)
    assert site.repository.refresh(now) == {}
    assert site.device(tmp_path / "device").download("doorbell/1.json").data == b"one"


def test_the_same_path_cannot_get_other_bytes(site: Site) -> None:
    site.publish("doorbell/1.json", b"one")
    with pytest.raises(TrustError, match="higher counter"):
        site.sign("doorbell/1.json", b"two", datetime.now(UTC))


def test_a_target_cannot_be_taken_away(site: Site) -> None:
    now = datetime.now(UTC)
    before = site.repository.targets()
    site.publish("doorbell/1.json", b"one")
    without = add_target(before, "doorbell/2.json", b"two", {}, load_key(site.keys, Role.TARGETS), now)
    twice = add_target(without, "doorbell/2.json", b"two", {}, load_key(site.keys, Role.TARGETS), now)
    with pytest.raises(TrustError, match="create-only"):
        site.repository.publish(twice, {"doorbell/2.json": b"two"}, now)


def test_targets_of_another_version_than_the_next_are_refused(site: Site) -> None:
    now = datetime.now(UTC)
    offered = site.sign("doorbell/1.json", b"one", now)
    site.public |= site.repository.publish(offered, {"doorbell/1.json": b"one"}, now)
    with pytest.raises(TrustError, match="cannot follow"):
        site.repository.publish(offered, {"doorbell/1.json": b"one"}, now)


def test_a_listed_file_that_was_not_sent_is_refused_and_nothing_changes(site: Site) -> None:
    now = datetime.now(UTC)
    before = site.repository.targets()
    with pytest.raises(TrustError, match="was not sent"):
        site.repository.publish(site.sign("doorbell/1.json", b"one", now), {}, now)
    assert site.repository.targets() == before


@pytest.mark.parametrize("path", ["../../escape.json", "/escape.json", "doorbell/./1.json", "doorbell/"])
def test_a_path_cannot_leave_the_targets_folder(site: Site, path: str) -> None:
    with pytest.raises(TrustError, match="leads out"):
        site.publish(path, b"x")


def test_a_change_replaces_the_timestamp_and_nothing_else(site: Site) -> None:
    now = datetime.now(UTC)
    offered = site.sign("doorbell/1.json", b"one", now)
    files = site.repository.publish(offered, {"doorbell/1.json": b"one"}, now)
    assert files.keys() & site.public.keys() == {TIMESTAMP_FILE}
    rival = site.repository.refresh(now + timedelta(days=1))
    assert "metadata/2.snapshot.json" in files.keys() & rival.keys(), "of two changes to one state, one can be made"


def test_a_repository_with_a_hole_is_named(site: Site) -> None:
    del site.public["metadata/1.snapshot.json"]
    with pytest.raises(TrustError, match=r"metadata/1\.snapshot\.json is missing"):
        site.repository.targets()


def test_a_dead_line_is_a_channel_error(site: Site, tmp_path: Path) -> None:
    def dead(path: str) -> Iterator[bytes]:
        raise ChannelError(f"no route to {path}")
        yield b""

    device = TrustClient(tmp_path / "device", site.repository.root(), dead)
    with pytest.raises(ChannelError):
        device.download("doorbell/1.json")


def test_a_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    create_key(tmp_path, Role.ROOT)
    assert (tmp_path / "root.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_key(tmp_path, Role.ROOT)


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "root.pem").write_bytes(content)
    with pytest.raises(TrustError, match=r"root\.pem"):
        load_key(tmp_path, Role.ROOT)
