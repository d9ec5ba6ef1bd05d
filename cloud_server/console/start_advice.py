"""What the form that starts a rollout explains: each gate in a line, and what small families should leave. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloud_server.rollout.gate_kinds import FACTS, GateKind, Unit

SHARES_DEVICES = 35
"""Fewer devices pass no gate on shares with its usual numbers: see `docs/rollouts.md`, Planning stages."""
_ASKS = {
    GateKind.BYTES: "a frame of the new version surely costs {limit} more than one of the old",
    GateKind.FALLBACK: "a fallback surely answers {limit} more of the frames than before",
    GateKind.REFUSALS: "surely {limit} more of the frames are refused than before",
    GateKind.ENCODE_TIME: "encoding a frame surely takes the cameras {limit} longer, as they report it",
    GateKind.ACCURACY: "of frames that have a label, surely {limit} fewer are answered right; it needs labels",
    GateKind.PROBES: (
        "of pictures that cameras send in both versions, surely {limit} more get two different answers than the "
        "trainer measured; it waits where the trainer measured none"
    ),
    GateKind.LABELLED_PAIRS: (
        "of such pictures that have a label, too, surely {limit} more are right in the old version alone"
    ),
}


@dataclass(frozen=True, slots=True)
class GateLine:
    """A gate as the form offers it: its name and what makes it fail."""

    kind: str
    subject: str
    about: str


def gate_lines() -> tuple[GateLine, ...]:
    """All gates, each with what makes it fail at its usual limit."""
    return tuple(
        GateLine(kind.value, facts.subject, f"Fails where {_ASKS[kind].format(limit=_limit(kind))}.")
        for kind, facts in FACTS.items()
    )


def small_families(devices: Mapping[str, int]) -> tuple[str, ...]:
    """What to mind in families that are too small for gates on shares, a sentence or two each.

    Args:
        devices: how many devices that are let in each family has that something is published for.
    """
    shares = ", ".join(facts.subject for facts in FACTS.values() if facts.unit is Unit.POINTS)
    return tuple(
        f"{family} has {count} {'device' if count == 1 else 'devices'}: fewer than {SHARES_DEVICES} pass no gate on "
        f"shares with its usual limit, so a rollout that has one ends paused at its deadline. Choose stages of your "
        f"own, and leave these unticked: {shares}. What becomes of the cameras, and time, decide then."
        for family, count in sorted(devices.items())
        if count < SHARES_DEVICES
    )


def _limit(kind: GateKind) -> str:
    facts = FACTS[kind]
    number = f"{100 * facts.limit:g}"
    if facts.unit is Unit.PERCENT:
        return f"{number} %"
    return f"{number} point" if number == "1" else f"{number} points"
