"""TUF from both sides: what a publisher may do, and what a device refuses. One attack, one test."""

import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.metadata import Metadata, Targets

from shared.errors import ChannelError
from shared.trust import (
    Change,
    NotPublishedError,
    OtherSignerError,
    OutdatedError,
    Repository,
    Role,
    Signer,
    Target,
    TrustClient,
    TrustError,
    create_key,
    create_root,
    load_key,
    next_targets,
    parse_targets,
    require_root,
)
from shared.trust.metadata import next_version
from shared.trust.repository import ENTRIES_MAX

TIMESTAMP = "doorbell/timestamp.json"


@dataclass
class Site:
    """A publisher's keys and the repository of family doorbell, and devices that fetch from it."""

    signers: dict[Role, Signer]
    root: bytes
    public: dict[str, bytes]

    def repository(self, family: str = "doorbell", root: bytes | None = None) -> Repository:
        return Repository(
            self.public.get,
            family=family,
            root=root or self.root,
            snapshot_signer=self.signers[Role.SNAPSHOT],
            timestamp_signer=self.signers[Role.TIMESTAMP],
        )

    def device(self, directory: Path, family: str = "doorbell") -> TrustClient:
        return TrustClient(directory, self.root, self.fetch, family)

    def fetch(self, path: str, limit_bytes: int = 0, seconds: float = 0.0) -> Iterator[bytes]:
        if path not in self.public:
            raise NotPublishedError(path)
        yield self.public[path]

    def publish(self, path: str, data: bytes, now: datetime | None = None) -> None:
        now = now or datetime.now(UTC)
        family = path.partition("/")[0]
        self.public |= self.change(self.sign(path, data, now, family), {path: data}, now, family).files

    def change(self, offered: bytes, added: dict[str, bytes], now: datetime, family: str = "doorbell") -> Change:
        return self.repository(family).publish(offered, added, self.kept(family), now)

    def kept(self, family: str = "doorbell") -> list[str]:
        current = self.repository(family).targets()
        return list(parse_targets(current).signed.targets) if current else []

    def refresh(self, now: datetime) -> Change | None:
        return self.repository().refresh(now)

    def sign(self, path: str, data: bytes, now: datetime, family: str = "doorbell", **custom: int) -> bytes:
        target = Target(path, data, {"n": 1} | custom)
        return next_targets(family, self.repository(family).targets(), [self.signers[Role.TARGETS]], now, added=target)


def each_one(signers: dict[Role, Signer]) -> dict[Role, list[Signer]]:
    return {role: [signer] for role, signer in signers.items()}


def make_site(directory: Path, now: datetime) -> Site:
    signers = {role: create_key(directory / "keys", role) for role in Role}
    root = create_root(each_one(signers), now)
    return Site(signers, root, {"1.root.json": root})


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

    def fetch(path: str, limit_bytes: int, seconds: float) -> Iterator[bytes]:
        could_lock.append(can_lock(folder / "lock"))
        return site.fetch(path, limit_bytes, seconds)

    device = TrustClient(folder, site.root, fetch, "doorbell")
    device.download("doorbell/1.json")
    device.refresh()

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
def test_a_root_that_did_not_sign_itself_is_none(tmp_path: Path, signed_by: str) -> None:
    now = datetime.now(UTC)
    signers = {role: create_key(tmp_path, role) for role in Role}
    root = json.loads(create_root(each_one(signers), now))
    if signed_by == "nobody":
        root["signatures"] = []
    else:
        other = create_root(each_one(signers | {Role.ROOT: create_key(tmp_path / "other", Role.ROOT)}), now)
        root["signatures"][0]["sig"] = json.loads(other)["signatures"][0]["sig"]

    require_root(create_root(each_one(signers), now))
    with pytest.raises(TrustError, match="root metadata"):
        require_root(json.dumps(root).encode())


def test_a_target_nobody_signed_is_refused(site: Site, tmp_path: Path) -> None:
    site.publish("doorbell/2.json", b"two")
    with pytest.raises(TrustError, match="no such target is signed"):
        site.device(tmp_path / "device").download("doorbell/1.json")


def test_a_tampered_target_is_refused(site: Site, tmp_path: Path) -> None:
    site.publish("doorbell/1.json", b"one")
    [name] = [name for name in site.public if name.endswith(".1.json")]
    site.public[name] = b"two"
    with pytest.raises(TrustError):
        site.device(tmp_path / "device").download("doorbell/1.json")


def test_targets_signed_with_another_key_are_refused_by_the_server(site: Site, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    stranger = create_key(tmp_path / "stranger", Role.TARGETS)
    forged = next_targets("doorbell", None, [stranger], now, added=Target("doorbell/1.json", b"evil", {}))
    with pytest.raises(OtherSignerError, match="targets was signed by 0/1"):
        site.change(forged, {"doorbell/1.json": b"evil"}, now)


def test_a_whole_forged_repository_is_refused_by_the_device(site: Site, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    forged = make_site(tmp_path / "forged", now)
    forged.publish("doorbell/1.json", b"evil")
    device = TrustClient(tmp_path / "device", site.root, forged.fetch, "doorbell")
    with pytest.raises(TrustError):
        device.download("doorbell/1.json")


def test_a_server_that_goes_back_in_time_is_refused(site: Site, tmp_path: Path) -> None:
    site.publish("doorbell/1.json", b"one")
    old = site.public[TIMESTAMP]
    site.publish("doorbell/2.json", b"two")
    device = site.device(tmp_path / "device")
    device.download("doorbell/2.json")
    site.public[TIMESTAMP] = old
    with pytest.raises(TrustError):
        device.download("doorbell/1.json")


def test_expired_metadata_is_refused(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=2)
    stale = make_site(tmp_path / "site", long_ago)
    stale.publish("doorbell/1.json", b"one", long_ago)
    with pytest.raises(TrustError, match="expired"):
        stale.device(tmp_path / "device").download("doorbell/1.json")


def test_refreshing_keeps_a_quiet_repository_alive(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    site = make_site(tmp_path / "site", now - timedelta(days=2))
    site.publish("doorbell/1.json", b"one", now - timedelta(days=2))
    change = site.refresh(now)
    assert change is not None
    site.public |= change.files
    assert site.refresh(now) is None
    assert site.device(tmp_path / "device").download("doorbell/1.json").data == b"one"


def test_the_same_path_cannot_get_other_bytes(site: Site) -> None:
    site.publish("doorbell/1.json", b"one")
    with pytest.raises(TrustError, match="higher counter"):
        site.sign("doorbell/1.json", b"two", datetime.now(UTC))


def test_a_young_snapshot_stays_when_the_timestamp_is_signed_anew(site: Site) -> None:
    now = datetime.now(UTC)
    site.publish("doorbell/1.json", b"one", now)
    timestamp_alone, both = site.refresh(now + timedelta(hours=13)), site.refresh(now + timedelta(days=4))
    assert timestamp_alone is not None and both is not None
    assert [*timestamp_alone.files] == [TIMESTAMP]
    assert len(both.files) == 2


def test_an_entry_that_must_stay_cannot_be_taken_away(site: Site) -> None:
    now = datetime.now(UTC)
    site.publish("doorbell/1.json", b"one")
    current = site.repository().targets()
    without = next_targets("doorbell", current, [site.signers[Role.TARGETS]], now, kept=())
    with pytest.raises(OutdatedError, match=r"doorbell/1\.json must stay"):
        site.change(without, {}, now)
    site.public |= site.repository().publish(without, {}, (), now).files
    assert site.kept() == []


def test_a_changed_entry_is_refused(site: Site) -> None:
    now = datetime.now(UTC)
    site.publish("doorbell/1.json", b"one")
    target = Target("doorbell/1.json", b"two", {})
    newer = now + timedelta(seconds=5)
    changed = next_targets("doorbell", None, [site.signers[Role.TARGETS]], newer, added=target)
    with pytest.raises(TrustError, match="create-only"):
        site.change(changed, {"doorbell/1.json": b"two"}, now)


@pytest.mark.parametrize("kept", [(), ("doorbell/2.json",)])
def test_the_floor_stays_when_its_entry_goes_and_a_lower_one_is_refused(site: Site, kept: tuple[str, ...]) -> None:
    now = datetime.now(UTC)
    for number, floor in ((1, 1), (2, 1), (3, 3)):
        offered = site.sign(f"doorbell/{number}.json", b"x", now, min_counter=floor)
        site.public |= site.change(offered, {f"doorbell/{number}.json": b"x"}, now).files
    signer = site.signers[Role.TARGETS]
    current = site.repository().targets()
    dropped = next_targets("doorbell", current, [signer], now, kept=kept)
    assert parse_targets(dropped).signed.unrecognized_fields["min_counter"] == 3
    site.public |= site.repository().publish(dropped, {}, (), now).files

    lowered = next_targets("doorbell", None, [signer], now + timedelta(hours=1))
    with pytest.raises(TrustError, match="min_counter 0 is below 3"):
        site.repository().publish(lowered, {}, (), now)


def test_a_floor_above_every_bundle_is_refused(site: Site) -> None:
    now = datetime.now(UTC)
    with pytest.raises(TrustError, match="min_counter 9 is above every"):
        site.change(raised(site, now, 9), {}, now)


def raised(site: Site, now: datetime, floor: int) -> bytes:
    """Genuinely signed targets that say a floor of their own."""
    document = Metadata[Targets].from_bytes(site.sign("doorbell/1.json", b"one", now))
    document.signed.unrecognized_fields["min_counter"] = floor
    document.sign(site.signers[Role.TARGETS])
    return document.to_bytes()


@pytest.mark.parametrize(
    ("signed_at", "match"),
    [
        (None, "do not say when"),
        ("yesterday", "no time of the form"),
        (7, "no time of the form"),
        ("2099-01-01T00:00:00Z", "ahead of this server's clock"),
    ],
)
def test_targets_that_would_give_devices_a_wrong_time_are_refused(site: Site, signed_at: Any, match: str) -> None:
    now = datetime.now(UTC)
    document = Metadata[Targets].from_bytes(site.sign("doorbell/1.json", b"one", now))
    document.signed.unrecognized_fields["signed_at"] = signed_at
    document.sign(site.signers[Role.TARGETS])
    with pytest.raises(TrustError, match=match):
        site.change(document.to_bytes(), {}, now)


def test_a_version_that_would_leave_no_room_for_others_is_refused(site: Site) -> None:
    now = datetime.now(UTC)
    document = Metadata[Targets].from_bytes(site.sign("doorbell/1.json", b"one", now))
    document.signed.version = 2**53
    document.sign(site.signers[Role.TARGETS])
    with pytest.raises(TrustError, match="ahead of this server's clock"):
        site.change(document.to_bytes(), {}, now)


@given(previous=st.integers(0, 2**40), seconds=st.integers(0, 2**33))
def test_versions_only_grow_and_are_never_below_the_time(previous: int, seconds: int) -> None:
    version = next_version(previous, datetime.fromtimestamp(seconds, UTC))
    assert version > previous and version >= seconds


def test_a_server_that_was_restored_signs_what_devices_take_for_newer(site: Site, tmp_path: Path) -> None:
    backup = datetime.now(UTC) - timedelta(hours=10)
    site.publish("doorbell/1.json", b"one", backup)
    saved = dict(site.public)
    for hours in range(1, 8):
        site.publish(f"doorbell/{hours + 1}.json", b"more", backup + timedelta(hours=hours))
    device = site.device(tmp_path / "device")
    assert device.download("doorbell/8.json").data == b"more"

    site.public = saved
    site.publish("doorbell/9.json", b"nine")
    assert device.download("doorbell/9.json").data == b"nine"


def test_targets_of_no_newer_version_are_refused(site: Site) -> None:
    now = datetime.now(UTC)
    offered = site.sign("doorbell/1.json", b"one", now)
    site.public |= site.change(offered, {"doorbell/1.json": b"one"}, now).files
    with pytest.raises(OutdatedError, match="cannot follow"):
        site.change(offered, {"doorbell/1.json": b"one"}, now)


def test_contents_that_are_not_what_the_entry_says_are_refused_and_nothing_changes(site: Site) -> None:
    now = datetime.now(UTC)
    with pytest.raises(TrustError, match=r"doorbell/1\.json"):
        site.change(site.sign("doorbell/1.json", b"one", now), {"doorbell/1.json": b"two"}, now)
    assert site.repository().targets() is None


@pytest.mark.parametrize(
    "path",
    [
        "../../escape.json",
        "/escape.json",
        "doorbell/./1.json",
        "doorbell/",
        "letters/1.json",
        "1.json",
        "doorbell/x.json",
    ],
)
def test_a_path_outside_the_family_is_refused(site: Site, path: str) -> None:
    now = datetime.now(UTC)
    with pytest.raises(TrustError, match="no path of family doorbell"):
        site.change(site.sign(path, b"x", now), {path: b"x"}, now)


def test_metadata_of_another_family_are_refused(site: Site) -> None:
    now = datetime.now(UTC)
    letters = next_targets("letters", None, [site.signers[Role.TARGETS]], now)
    with pytest.raises(TrustError, match="family 'letters' where doorbell"):
        site.change(letters, {}, now)


def test_more_entries_than_anyone_needs_are_refused(site: Site) -> None:
    now = datetime.now(UTC)
    signer, targets = site.signers[Role.TARGETS], None
    for number in range(1, ENTRIES_MAX + 2):
        target = Target(f"doorbell/{number}.json", b"x", {})
        targets = next_targets("doorbell", targets, [signer], now - timedelta(seconds=100), added=target)
    assert targets is not None
    with pytest.raises(TrustError, match=f"at most {ENTRIES_MAX} entries"):
        site.change(targets, {}, now)


def test_a_change_replaces_the_timestamp_and_nothing_else(site: Site) -> None:
    now = datetime.now(UTC)
    site.publish("doorbell/1.json", b"one", now)
    change = site.change(site.sign("doorbell/2.json", b"two", now), {"doorbell/2.json": b"two"}, now)
    assert change.files.keys() & site.public.keys() == {TIMESTAMP}
    rival = site.refresh(now + timedelta(days=1))
    assert rival is not None and rival.follows == change.follows, "of two changes to one state, one can be made"


def test_a_change_keeps_what_clients_of_the_last_state_may_still_fetch(site: Site) -> None:
    now = datetime.now(UTC)
    for number in (1, 2, 3):
        path = f"doorbell/{number}.json"
        offered = site.sign(path, b"%d" % number, now)
        change = site.change(offered, {path: b"%d" % number}, now)
        before, site.public = site.public, site.public | change.files
    assert (before.keys() - {"1.root.json"} - change.kept) == {
        name for name in before if name.endswith((".snapshot.json", ".targets.json")) and name not in change.kept
    }
    assert len([name for name in change.kept if name.endswith(".snapshot.json")]) == 2


def test_a_repository_with_a_hole_is_named(site: Site) -> None:
    site.publish("doorbell/1.json", b"one")
    [snapshot] = [name for name in site.public if name.endswith(".snapshot.json")]
    del site.public[snapshot]
    with pytest.raises(TrustError, match=rf"{snapshot} is missing"):
        site.repository().targets()


def test_a_dead_line_is_a_channel_error(site: Site, tmp_path: Path) -> None:
    def dead(path: str, limit_bytes: int, seconds: float) -> Iterator[bytes]:
        raise ChannelError(f"no route to {path}")
        yield b""

    device = TrustClient(tmp_path / "device", site.root, dead, "doorbell")
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
