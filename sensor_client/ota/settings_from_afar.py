"""What the updater needs of the settings from afar, which the assignment names beside the bundle."""

import math
from collections.abc import Callable
from typing import Protocol

from shared.trust import VerifiedTarget


class SettingsFromAfar(Protocol):
    """What `FollowedSettings` does; no call raises."""

    def named(self, target: str | None) -> None: ...

    def seconds_left(self) -> float: ...

    def follow(self, download: Callable[[str], VerifiedTarget]) -> None: ...


class NoSettingsFromAfar:
    """Follows none."""

    def named(self, _target: str | None) -> None:
        """Pass over what is named."""

    def seconds_left(self) -> float:
        """There never is anything to do."""
        return math.inf

    def follow(self, _download: Callable[[str], VerifiedTarget]) -> None:
        """Fetch nothing."""
