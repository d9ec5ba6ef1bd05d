"""When what is signed expires so soon that somebody has to be told: a rule."""

from collections.abc import Mapping
from types import MappingProxyType

DAY_SECONDS = 86400.0
TOLD_BEFORE_SECONDS: Mapping[str, float] = MappingProxyType(
    {"root": 180 * DAY_SECONDS, "targets": 60 * DAY_SECONDS, "online": 3 * 3600.0}
)
"""By role, how long before its expiry; as the alerts in `deploy/prometheus/alerts.yml` have it."""


def expiring(expiries: Mapping[str, float], now: float) -> Mapping[str, float]:
    """Of these roles, those whose metadata expire soon or are expired; all in seconds since 1970."""
    return {role: moment for role, moment in expiries.items() if moment - now < TOLD_BEFORE_SECONDS[role]}
