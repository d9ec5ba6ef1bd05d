"""Settings are followed over a real TUF repository: only signed ones of this family change anything."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sensor_client.policies import CaptureOrders
from sensor_client.remote_settings import FollowedSettings, Orders, RemoteLimits, SettingsFile
from sensor_client.remote_settings.following import NOT_ALLOWED, UNVERIFIED_SECONDS, OwnOrders
from sensor_client.upload_orders import UploadOrders
from shared.bundle import DeviceSettings
from shared.errors import ChannelError
from shared.trust import TrustClient, VerifiedTarget
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.signed_bundles import Publisher

OWN = Orders(capture=CaptureOrders(frames_per_second=2.0), upload=UploadOrders())


def rate(counter: int, frames_per_second: float = 0.5, family: str = "signs") -> DeviceSettings:
    return DeviceSettings(family=family, counter=counter, frames_per_second=frames_per_second)


@dataclass
class Camera:
    """A device that follows what is published; what it does is in `orders`."""

    folder: Path
    publisher: Publisher
    limits: RemoteLimits = field(default_factory=RemoteLimits)
    clock: FakeClock = field(default_factory=FakeClock)
    orders: list[Orders] = field(default_factory=list)
    told: int = 0

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.followed = FollowedSettings(
            file=SettingsFile(self.folder / "settings.json"),
            own=OwnOrders(family="signs", orders=OWN, limits=self.limits),
            apply=self.orders.append,
            changed=self._note,
            clock=self.clock,
            random=lambda: 0.5,
        )

    def _note(self) -> None:
        self.told += 1

    def hear(self, target: str | None, download: Callable[[str], VerifiedTarget] | None = None) -> None:
        self.followed.named(target)
        self.followed.follow(download or self.download)

    def download(self, target: str) -> VerifiedTarget:
        fetch = self.publisher.fetch
        return TrustClient(self.folder / "trust", self.publisher.root, fetch, "signs").download(target)

    @property
    def rate(self) -> float | None:
        return self.orders[-1].capture.frames_per_second

    @property
    def trouble(self) -> str | None:
        return self.followed.record.code


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    return Camera(tmp_path, Publisher(tmp_path / "published"))


def published(camera: Camera, settings: DeviceSettings, **changed: Any) -> str:
    camera.publisher.add(settings.target_path, settings.to_bytes(), settings.target_custom | dict(changed))
    return settings.target_path


def test_what_is_named_takes_effect_at_once_and_survives_a_restart_and_goes_when_it_is_withdrawn(
    camera: Camera,
) -> None:
    assert camera.rate == 2.0
    camera.hear(published(camera, rate(1)))
    assert (camera.rate, camera.followed.counter, camera.told) == (0.5, 1, 1)
    assert camera.followed.seconds_left() == math.inf
    camera.hear(published(camera, rate(2, 0.25)))
    camera.restart()
    assert (camera.rate, camera.followed.counter) == (0.25, 2)
    camera.hear(None)
    camera.restart()
    assert (camera.rate, camera.followed.counter, camera.followed.record.state) == (2.0, 0, None)


def test_what_is_in_effect_is_not_fetched_again(camera: Camera) -> None:
    target = published(camera, rate(1))
    camera.hear(target)

    def never(_target: str) -> VerifiedTarget:
        raise AssertionError

    camera.hear(target, never)
    camera.restart()
    camera.hear(target, never)


@pytest.mark.parametrize(
    ("settings", "changed", "name"),
    [
        (rate(7), {"tag": "roof"}, None),
        (rate(7), {"kind": "bundle"}, None),
        (rate(7), {}, "signs/settings-8.json"),
        (rate(7, family="digits"), {}, "signs/settings-7.json"),
        (DeviceSettings(family="signs", counter=7, active_hours="Fun 06:00-20:00"), {}, None),
    ],
)
def test_signed_settings_that_do_not_fit_are_refused_for_good_and_those_before_stay(
    camera: Camera, settings: DeviceSettings, changed: Mapping[str, Any], name: str | None
) -> None:
    camera.hear(published(camera, rate(1)))
    path = name or settings.target_path
    camera.publisher.add(path, settings.to_bytes(), settings.target_custom | dict(changed))
    camera.hear(path)
    assert (camera.rate, camera.followed.counter, camera.trouble is None) == (0.5, 1, False)
    assert camera.followed.seconds_left() == math.inf
    camera.hear(published(camera, rate(9, 1.0)))
    assert (camera.rate, camera.trouble) == (1.0, None)


@pytest.mark.parametrize("data", [b"{}", b"", b"\xff", rate(7).to_bytes() + b" ", b'{"counter":7,"rate":1}'])
def test_signed_bytes_that_are_no_settings_are_refused(camera: Camera, data: bytes) -> None:
    camera.publisher.add(rate(7).target_path, data, rate(7).target_custom)
    camera.hear(rate(7).target_path)
    assert (camera.rate, camera.trouble, camera.followed.record.is_open) == (2.0, "invalid-bundle", False)


@pytest.mark.parametrize("name", ["signs/settings-5.json", "digits/settings-1.json"])
def test_what_nobody_signed_changes_nothing_and_is_tried_again_after_an_hour(camera: Camera, name: str) -> None:
    camera.hear(published(camera, rate(1)))
    camera.hear(name)
    assert (camera.rate, camera.followed.counter, camera.trouble) == (0.5, 1, "untrusted")
    assert camera.followed.seconds_left() >= UNVERIFIED_SECONDS
    camera.hear(rate(1).target_path)
    assert (camera.followed.counter, camera.followed.seconds_left()) == (1, math.inf)


def test_what_goes_on_not_to_verify_is_told_once(camera: Camera) -> None:
    camera.hear(published(camera, rate(1)))
    told = camera.told
    for _ in range(3):
        camera.hear(rate(2).target_path)
        camera.clock.elapsed_seconds += camera.followed.seconds_left()
    assert (camera.trouble, camera.told - told) == ("untrusted", 1)


@pytest.mark.parametrize("name", ["../identity.json", "", "\ud800", "signs/1.json", "signs/settings-0.json", "x" * 128])
def test_what_is_no_path_of_settings_is_never_asked_for_nor_repeated(camera: Camera, name: str) -> None:
    camera.hear(published(camera, rate(1)))
    for _ in range(2):
        camera.hear(name)
    state = camera.followed.record.state
    assert state is not None
    assert (camera.rate, state.named, state.code) == (0.5, "signs/settings-1.json", "invalid-settings")
    camera.hear(published(camera, rate(2, 1.0)))
    assert camera.rate == 1.0


def test_what_is_signed_later_is_taken_then(camera: Camera) -> None:
    published(camera, rate(1))
    camera.hear(rate(2, 1.0).target_path)
    assert camera.rate == 2.0
    published(camera, rate(2, 1.0))
    camera.followed.follow(camera.download)
    assert camera.rate == 2.0, "it is not time yet"
    camera.clock.elapsed_seconds += camera.followed.seconds_left()
    camera.followed.follow(camera.download)
    assert (camera.rate, camera.trouble) == (1.0, None)


def test_a_line_that_fails_is_tried_again_with_growing_waits(camera: Camera) -> None:
    waits = []

    def fails(_target: str) -> VerifiedTarget:
        raise ChannelError("no line")

    for _ in range(8):
        camera.hear(rate(1).target_path, fails)
        waits.append(camera.followed.seconds_left())
        camera.clock.elapsed_seconds += camera.followed.seconds_left()
    assert waits == sorted(waits) and 10 <= waits[0] < waits[-1] <= 70
    assert camera.trouble is None


def test_a_device_that_lets_nobody_set_anything_says_so_and_fetches_nothing(camera: Camera) -> None:
    target = published(camera, rate(1))
    camera.hear(target)
    camera.limits = RemoteLimits(is_allowed=False)
    camera.restart()
    assert (camera.rate, camera.followed.counter) == (2.0, 0)

    def never(_target: str) -> VerifiedTarget:
        raise AssertionError

    camera.followed.follow(never)
    assert (camera.rate, camera.trouble) == (2.0, NOT_ALLOWED)
    camera.limits = RemoteLimits()
    camera.restart()
    camera.hear(target)
    assert (camera.rate, camera.trouble) == (0.5, None)


def test_a_disk_that_takes_nothing_keeps_no_settings_from_taking_effect(camera: Camera) -> None:
    target = published(camera, rate(1))

    def full(_record: object) -> None:
        raise OSError(28, "No space left on device")

    camera.followed._file.save = full  # type: ignore[assignment, method-assign]
    camera.hear(target)
    assert (camera.rate, camera.followed.counter) == (0.5, 1)
