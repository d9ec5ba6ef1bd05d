"""What an examination of a device finds: one line a check, with what to do where it is not well."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

from shared.errors import DctwireError
from shared.plain_text import escaped


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found; `next_step` says what to do, and is empty where there is nothing to be done."""

    check: str
    verdict: Verdict
    said: str
    next_step: str = ""


def ok(check: str, said: str) -> Finding:
    """Well."""
    return Finding(check=check, verdict=Verdict.OK, said=said)


def warn(check: str, said: str, next_step: str) -> Finding:
    """Works, and will not for ever, or not as it should."""
    return Finding(check=check, verdict=Verdict.WARN, said=said, next_step=next_step)


def bad(check: str, said: str, next_step: str) -> Finding:
    """Does not work."""
    return Finding(check=check, verdict=Verdict.BAD, said=said, next_step=next_step)


def guarded(check: str, look: Callable[[], Finding], next_step: str) -> Finding:
    """What `look` finds; where it fails, that is what was found."""
    try:
        return look()
    except (DctwireError, OSError, ValueError) as error:
        return bad(check, str(error) or type(error).__name__, next_step)


def lines(findings: Iterable[Finding]) -> Iterable[str]:
    """As people read them."""
    for finding in findings:
        yield f"{finding.verdict:<5} {finding.check:<12} {escaped(finding.said)}"
        if finding.next_step:
            yield f"{'':<18} -> {escaped(finding.next_step)}"


def as_json(findings: Iterable[Finding]) -> dict[str, object]:
    """As programs read them."""
    found = list(findings)
    return {"is_well": is_well(found), "checks": [asdict(finding) for finding in found]}


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is bad."""
    return all(finding.verdict is not Verdict.BAD for finding in findings)
