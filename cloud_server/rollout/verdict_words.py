"""What a gate found, in words: "bytes a frame +31 % (limit +5 %), 412 devices, third look of five"."""

from cloud_server.rollout.evidence import Evidence
from cloud_server.rollout.gate_kinds import FACTS, Facts, GateKind, Unit
from cloud_server.rollout.harm import Harm
from cloud_server.rollout.means import Sample

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)


def found(kind: GateKind, harm: Harm | None, limit: float, seen: Evidence) -> str:
    """What was measured, beside its limit, and of how many devices."""
    facts = FACTS[kind]
    told = "unknown" if harm is None else _told(harm.estimate, facts, apart_from=limit)
    return f"{facts.subject} {told} (limit {_told(limit, facts)}), {_counted(facts, seen)}"


def look_words(look: int, looks: int) -> str:
    """Which look it is."""
    ordinal = _ORDINALS[look - 1] if look <= len(_ORDINALS) else _in_digits(look)
    return f"{ordinal} look of {_NUMBERS[looks - 1] if looks <= len(_NUMBERS) else looks}"


def missing(seen: Evidence) -> str:
    """Why there is nothing to judge by yet."""
    if seen.old is None:
        return "the new bundle's trainer measured no disagreement with the old one to compare with"
    if not seen.devices:
        return "nothing of it was counted under the new bundle"
    if isinstance(seen.old, Sample) and not seen.old_devices:
        return "nothing of it was counted under the old bundle to compare with"
    if isinstance(seen.old, Sample) and not seen.old.values.any():
        return "it was 0 under the old bundle, so that nothing can be compared with it"
    return "too few devices to judge by"


def open_question(kind: GateKind, detects: float) -> str:
    """Why a gate waits that could not rule out what it is to detect."""
    return f"{_told(detects, FACTS[kind])} cannot be ruled out yet"


def _told(harm: float, facts: Facts, apart_from: float | None = None) -> str:
    """A harm with its sign and unit, to two digits that count, or as many as tell it from another one."""
    value = -harm if facts.is_better_high else harm
    other = None if apart_from is None else _told(apart_from, facts)
    told = _with_unit(value, facts.unit, 2)
    for digits in range(3, 7):
        if told != other:
            break
        told = _with_unit(value, facts.unit, digits)
    return told


def _with_unit(value: float, unit: Unit, digits: int) -> str:
    percent = round(float(f"{value * 100:.{digits}g}"), digits)
    number = f"{percent:+,.6f}".rstrip("0").rstrip(".") if percent else "0"
    if unit is Unit.PERCENT:
        return f"{number} %"
    return f"{number} point" if abs(percent) == 1 else f"{number} points"


def _counted(facts: Facts, seen: Evidence) -> str:
    devices = _many(seen.devices, "device")
    return devices if facts.counts is None else f"{_many(seen.counted, facts.counts)} of {devices}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _in_digits(number: int) -> str:
    """13th, 21st, 112th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
