"""A device's client: what it believes, what it keeps, and what it comes back from."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from shared.errors import ChannelError
from shared.trust import NotPublishedError, Role, TrustClient, TrustError, create_key
from shared.trust.client import DEADLINE_SECONDS, TARGET_LIMIT_BYTES
from shared.trust.following import ROOT_ROTATIONS_MAX
from shared.trust.metadata import signed_at_text, signed_bytes
from tests.sensor_client.failing_disk import FailingDisk
from tests.shared.trust.test_trust import Site, make_site

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)


@dataclass
class Line:
    """Fetches from a site, counts what is asked for, and takes its time."""

    site: Site
    asked: list[str] = field(default_factory=list)
    elapsed_seconds: float = 0.0
    seconds_each: float = 0.0
    limits: dict[str, int] = field(default_factory=dict)

    def fetch(self, path: str, limit_bytes: int, seconds: float) -> Iterator[bytes]:
        self.asked.append(path)
        self.limits[path] = limit_bytes
        assert seconds > 0
        self.elapsed_seconds += self.seconds_each
        if path not in self.site.public:
            raise NotPublishedError(path)
        yield self.site.public[path]


@dataclass
class Device:
    """A client with a clock of its own."""

    folder: Path
    line: Line
    root: bytes | None
    now: datetime | float = NOW
    built_at: datetime = NOW - YEAR
    family: str = "doorbell"

    @property
    def client(self) -> TrustClient:
        return TrustClient(
            self.folder,
            self.root,
            self.line.fetch,
            self.family,
            now=lambda: self.now if isinstance(self.now, float) else self.now.timestamp(),
            monotonic_seconds=lambda: self.line.elapsed_seconds,
            built_at=self.built_at,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_site(tmp_path / "site", NOW)
    site.publish("doorbell/1.json", b"one", NOW)
    return site


@pytest.fixture
def device(tmp_path: Path, site: Site) -> Device:
    return Device(tmp_path / "device", Line(site), site.root)


def next_root(site: Site, change: Callable[[Root], None] = lambda root: None, now: datetime = NOW) -> bytes:
    """Publish the root after the newest one, changed, and signed by the root key of both."""
    newest = max(int(name.partition(".")[0]) for name in site.public if name.endswith(".root.json"))
    root: Root = Metadata.from_bytes(site.public[f"{newest}.root.json"]).signed
    root.version += 1
    change(root)
    data = signed_bytes(root, [site.signers[Role.ROOT]], signed_at=signed_at_text(now))
    site.public[f"{root.version}.root.json"] = data
    return data


def test_metadata_of_another_family_are_refused_before_any_of_them_are_kept(site: Site, device: Device) -> None:
    device.client.refresh()
    before = {path.name: path.read_bytes() for path in device.folder.glob("*.json")}
    site.publish("letters/1.json", b"other", NOW + timedelta(seconds=9))
    genuine = dict(site.public)
    for name in list(genuine):
        if name.startswith("letters/"):
            site.public[name.replace("letters/", "doorbell/", 1)] = genuine[name]

    with pytest.raises(TrustError, match="of family 'letters'"):
        device.client.refresh()

    assert {path.name: path.read_bytes() for path in device.folder.glob("*.json")} == before


def test_metadata_that_name_no_family_are_refused(site: Site, device: Device) -> None:
    timestamp = Metadata.from_bytes(site.public["doorbell/timestamp.json"]).signed
    del timestamp.unrecognized_fields["family"]
    site.public["doorbell/timestamp.json"] = signed_bytes(timestamp, [site.signers[Role.TIMESTAMP]])

    with pytest.raises(TrustError, match="of family None"):
        device.client.refresh()


@pytest.mark.parametrize("now", [datetime(1970, 1, 1, tzinfo=UTC), NOW - 3 * YEAR])
def test_a_clock_in_the_past_makes_nothing_valid_that_has_expired(site: Site, device: Device, now: datetime) -> None:
    device.client.refresh()
    timestamp = site.public["doorbell/timestamp.json"]
    site.publish("doorbell/2.json", b"two", NOW + timedelta(days=30))
    device.now = NOW + timedelta(days=30)
    device.client.refresh()
    (device.folder / "timestamp.json").unlink()  # so that nothing but its age speaks against the old one
    (device.folder / "snapshot.json").unlink()

    site.public["doorbell/timestamp.json"] = timestamp
    device.now = now
    with pytest.raises(TrustError, match="expired"):
        device.client.refresh()


def test_it_is_never_earlier_than_the_program_was_made(device: Device) -> None:
    device.now, device.built_at = datetime(1970, 1, 1, tzinfo=UTC), NOW + 2 * timedelta(days=1)

    with pytest.raises(TrustError, match="expired"):
        device.client.refresh()
    assert device.client.standing().time_floor == device.built_at


def test_a_new_root_moves_the_time_before_anything_else_is_judged(site: Site, device: Device) -> None:
    device.now = datetime(1970, 1, 1, tzinfo=UTC)
    next_root(site, now=NOW + timedelta(days=5))

    with pytest.raises(TrustError, match="expired"):
        device.client.refresh()
    assert device.client.standing().time_floor == NOW + timedelta(days=5)


def test_a_root_that_says_it_was_signed_after_its_own_end_tells_no_time(site: Site, device: Device) -> None:
    next_root(site, now=NOW + 20 * YEAR)

    standing = device.client.refresh()

    assert (standing.root_version, standing.time_floor) == (2, NOW)
    assert device.client.refresh() == standing


@pytest.mark.parametrize("now", [NOW + 20 * YEAR, 1e300, float(10**12)])
def test_a_clock_far_ahead_is_said_and_costs_nothing_that_was_kept(device: Device, now: datetime | float) -> None:
    before = device.client.refresh()
    assert not before.is_stale
    device.now = now

    with pytest.raises(TrustError, match="expired"):
        device.client.refresh()
    standing = device.client.standing()
    assert standing.is_stale and standing.time_floor == before.time_floor

    device.now = NOW
    assert device.client.refresh() == before


def test_a_device_that_is_cut_off_from_fresh_metadata_for_long_says_so(device: Device) -> None:
    device.client.refresh()

    device.now = NOW + timedelta(days=3)
    assert not device.client.standing().is_stale
    device.now = NOW + timedelta(days=9)
    assert device.client.standing().is_stale


def test_many_new_roots_are_taken_at_once_and_more_with_the_next_look(site: Site, device: Device) -> None:
    for _ in range(ROOT_ROTATIONS_MAX + 8):
        next_root(site)

    assert device.client.refresh().root_version == ROOT_ROTATIONS_MAX + 1
    assert device.client.refresh().root_version == ROOT_ROTATIONS_MAX + 9
    device.line.asked.clear()
    assert device.client.refresh().root_version == ROOT_ROTATIONS_MAX + 9
    assert device.line.asked == [f"{ROOT_ROTATIONS_MAX + 10}.root.json", "doorbell/timestamp.json"]


def test_a_key_that_a_new_root_took_away_signs_nothing_any_more(site: Site, device: Device, tmp_path: Path) -> None:
    device.client.refresh()
    fresh = create_key(tmp_path / "fresh", Role.TARGETS)

    def change(root: Root) -> None:
        for key in list(root.roles["targets"].keyids):
            root.revoke_key(key, "targets")
        root.add_key(fresh.public_key, "targets")

    next_root(site, change)
    site.publish("doorbell/2.json", b"evil", NOW + timedelta(seconds=9))

    with pytest.raises(TrustError):
        device.client.download("doorbell/2.json")


def test_fewer_signatures_than_the_threshold_are_none(site: Site, device: Device, tmp_path: Path) -> None:
    def change(root: Root) -> None:
        root.add_key(create_key(tmp_path / "approver", Role.TARGETS).public_key, "targets")
        root.roles["targets"].threshold = 2

    next_root(site, change)

    with pytest.raises(TrustError):
        device.client.download("doorbell/1.json")


def damages() -> dict[str, Callable[[Path], object]]:
    def make_directory_of(path: Path) -> None:
        path.unlink()
        (path / "inside").mkdir(parents=True)

    def make_endless_link_of(path: Path) -> None:
        path.unlink()
        path.symlink_to(path.name)

    return {
        "empty": lambda path: path.write_bytes(b""),
        "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
        "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
        "gone": lambda path: path.unlink(),
        "a directory": make_directory_of,
        "an endless link": make_endless_link_of,
        "of another device": lambda path: path.write_bytes(b'{"signatures":[],"signed":{}}'),
    }


FILES = (
    "root.json",
    "root_history/1.root.json",
    "root_history/2.root.json",
    "root_history/3.root.json",
    "timestamp.json",
    "snapshot.json",
    "targets.json",
    "target.partial",
    "lock",
)


@pytest.mark.parametrize("damage", damages())
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_fetched_anew(site: Site, device: Device, name: str, damage: str) -> None:
    next_root(site)
    next_root(site)
    before = device.client.refresh()
    device.client.download("doorbell/1.json")
    damages()[damage](device.folder / name)

    assert device.client.standing().root_version >= 1
    assert device.client.download("doorbell/1.json").data == b"one"
    assert device.client.standing() == before


def test_a_damaged_root_on_the_way_takes_nobody_back_to_keys_that_were_changed(site: Site, device: Device) -> None:
    next_root(site)
    next_root(site)
    device.client.refresh()
    (device.folder / "root_history" / "2.root.json").write_bytes(b"")
    del site.public["2.root.json"], site.public["3.root.json"]

    assert device.client.refresh().root_version == 3


@pytest.mark.parametrize("is_a_file", [True, False])
def test_a_folder_that_is_a_file_or_gone_is_made_anew(site: Site, device: Device, is_a_file: bool) -> None:
    if is_a_file:
        device.folder.write_bytes(b"damage")

    assert device.client.download("doorbell/1.json").data == b"one"


@pytest.mark.parametrize("shipped", [None, b"", bytes(500)])
def test_a_lost_root_is_replaced_by_the_newest_that_was_followed(
    site: Site, device: Device, shipped: bytes | None
) -> None:
    next_root(site)
    device.client.refresh()
    device.root = shipped

    site.publish("doorbell/2.json", b"two", NOW + timedelta(seconds=9))
    assert device.client.download("doorbell/2.json").data == b"two"


def test_without_any_root_nothing_is_verified_and_it_is_said(device: Device) -> None:
    device.root = None

    with pytest.raises(TrustError, match="is lost, and no root"):
        device.client.refresh()
    assert device.client.standing().root_version == 0


def test_what_lies_here_is_not_downloaded_again(site: Site, device: Device) -> None:
    device.client.download("doorbell/1.json")
    device.client.download("doorbell/1.json")
    (device.folder / "target.partial").unlink()
    device.client.download("doorbell/1.json", known=[b"other", b"one"])

    assert len([path for path in device.line.asked if path.endswith(".1.json")]) == 1


def test_a_look_and_a_download_have_one_deadline(site: Site, device: Device) -> None:
    for _ in range(20):
        next_root(site)
    device.line.seconds_each = DEADLINE_SECONDS / 10

    with pytest.raises(ChannelError, match="time"):
        device.client.download("doorbell/1.json")

    assert device.line.elapsed_seconds <= DEADLINE_SECONDS
    for _ in range(3):  # what was taken is kept, so that a slow line gets there
        try:
            device.client.download("doorbell/1.json")
        except ChannelError:
            continue
    assert device.client.standing().root_version == 21


def test_a_file_that_is_whole_only_after_the_deadline_is_not_taken(site: Site, device: Device) -> None:
    next_root(site)
    device.line.seconds_each = DEADLINE_SECONDS + 1

    with pytest.raises(ChannelError, match="not whole in time"):
        device.client.refresh()
    assert device.client.standing().root_version == 1


def test_no_file_may_be_larger_than_such_files_are(site: Site, device: Device) -> None:
    device.client.download("doorbell/1.json")
    assert max(device.line.limits.values()) <= 256 << 10
    assert next(limit for path, limit in device.line.limits.items() if path.endswith(".1.json")) == len(b"one")

    site.public["doorbell/timestamp.json"] += b" " * (64 << 10)
    with pytest.raises(ChannelError):
        device.client.refresh()


def test_a_target_larger_than_any_bundle_is_refused_before_it_is_fetched(site: Site, device: Device) -> None:
    site.publish("doorbell/2.json", bytes(TARGET_LIMIT_BYTES + 1), NOW + timedelta(seconds=9))

    with pytest.raises(TrustError, match="at most"):
        device.client.download("doorbell/2.json")
    assert not [path for path in device.line.asked if path.endswith(".2.json")]


def test_power_cuts_and_full_disks_at_any_moment_leave_a_client_that_goes_on(site: Site, device: Device) -> None:
    device.client.download("doorbell/1.json")
    counter, at = 2, 0
    while True:
        next_root(site)
        site.publish(f"doorbell/{counter}.json", f"{counter}".encode(), NOW + timedelta(seconds=counter))
        before = device.client.standing()
        with FailingDisk(at, error=None if at % 2 else SystemExit) as disk, suppress(OSError, SystemExit):
            device.client.download(f"doorbell/{counter}.json")
        after = device.client.standing()
        assert after.root_version >= before.root_version and after.targets_version >= before.targets_version
        assert device.client.download(f"doorbell/{counter}.json").data == f"{counter}".encode()
        if disk.calls <= at:
            break
        counter, at = counter + 1, at + 1
    assert at > 10


def test_the_floor_of_the_family_is_what_verified_targets_say(site: Site, device: Device) -> None:
    offered = site.sign("doorbell/3.json", b"three", NOW + timedelta(seconds=9), min_counter=2)
    site.public |= site.change(offered, {"doorbell/3.json": b"three"}, NOW + timedelta(seconds=9)).files
    assert device.client.standing().min_counter == 0

    assert device.client.download("doorbell/3.json").min_counter == 2
    assert device.client.standing().min_counter == 2

    (device.folder / "targets.json").write_bytes(
        (device.folder / "targets.json").read_bytes().replace(b'"min_counter": 2', b'"min_counter": 9')
    )
    assert device.client.standing().min_counter in (0, 2), "nothing that nobody signed raises it"
