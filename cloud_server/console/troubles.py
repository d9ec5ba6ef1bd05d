"""What is wrong now, in words: the facts that the alerts watch, and what to do about each. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cloud_server.console import words

DAY_SECONDS = 86_400.0
QUEUE_SECONDS = 5.0
"""A frame that waits so long waits for more than a busy moment."""
REJECTED_SHARE, REJECTED_MIN = 0.05, 20
FAILURES = 3
"""So many trainings in a row do not fail by chance."""
EXPIRES_SOON_SECONDS = {"root": 30 * DAY_SECONDS, "targets": 14 * DAY_SECONDS, "online": 12 * 3600.0}
CERTIFICATE_SECONDS = 14 * DAY_SECONDS
ROLES = {"online": "snapshot and timestamp"}


class Weight(StrEnum):
    """How soon somebody should look."""

    BAD = "bad"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: what, what to do, and the page that shows more (below /console, empty: none)."""

    weight: Weight
    what: str
    advice: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the server and its fleet; times in seconds since 1970.

    Args:
        rejected, taken: frames of the last minutes that were refused, and that were answered; by this process.
        paused: families whose rollout is paused.
        silent: devices that were not seen for a week, by family.
        skewed: devices that run something else than they are told to, by family.
        stale: devices whose signed metadata are expired.
        expiries: when what a role signed expires first.
        open_planes: planes that other machines reach without TLS, and the address that each is bound to.
        unserved: replicas that do not serve something that others do, with its name.
        parted: what drift and estimates say is wrong, in words.
        failing: how many trainings failed in a row, by family.
        overdue: families whose training is under way, by a trainer that has not told how far it is.
    """

    queue_oldest_seconds: float = 0.0
    rejected: int = 0
    taken: int = 0
    failed: Sequence[str] = ()
    lost_threads: int = 0
    paused: Sequence[str] = ()
    silent: Mapping[str, int] = field(default_factory=dict)
    skewed: Mapping[str, int] = field(default_factory=dict)
    stale: int = 0
    clones: int = 0
    expiries: Mapping[str, float] = field(default_factory=dict)
    missing_keys: Sequence[str] = ()
    unserved: Mapping[str, str] = field(default_factory=dict)
    audit_fault: str = ""
    open_planes: Mapping[str, str] = field(default_factory=dict)
    certificate_expires_at: float | None = None
    parted: Sequence[str] = ()
    failing: Mapping[str, int] = field(default_factory=dict)
    overdue: Sequence[str] = ()


def troubles_of(facts: Facts, now: float) -> Sequence[Trouble]:
    """All that is wrong, the worst first."""
    of_server = (*_of_frames(facts), *_of_record(facts), *_of_trust(facts, now), *_of_lines(facts, now))
    found = [*of_server, *_of_fleet(facts), *_of_trainings(facts)]
    return sorted(found, key=lambda each: [*Weight].index(each.weight))


def _of_frames(facts: Facts) -> Iterator[Trouble]:
    if facts.queue_oldest_seconds > QUEUE_SECONDS:
        waits = words.duration(facts.queue_oldest_seconds)
        yield Trouble(Weight.BAD, f"A frame has waited {waits} for a classifier.", "Add cores, or a replica.")
    asked = facts.rejected + facts.taken
    if facts.rejected >= REJECTED_MIN and facts.rejected > REJECTED_SHARE * asked:
        share = words.percent(facts.rejected / asked, 0)
        advice = "The metric dctwire_rejected_frames_total says for which reasons."
        yield Trouble(Weight.BAD, f"{share} of the frames of the last minutes were refused.", advice)
    for name in facts.failed:
        advice = "Another classifier answers, or none. The log says why; releasing or assigning another one helps."
        yield Trouble(Weight.BAD, f"The classifier {name} cannot be loaded, or was stopped.", advice, "/versions")
    if facts.lost_threads:
        lost = words.plural(facts.lost_threads, "thread")
        yield Trouble(Weight.BAD, f"{lost} cannot be got back from a classifier.", "Start the process anew.")
    for said in facts.parted:
        yield Trouble(Weight.WARN, said, "Label some frames to see whether the answers are still right.", "/review")


def _of_record(facts: Facts) -> Iterator[Trouble]:
    if facts.audit_fault:
        yield Trouble(
            Weight.BAD,
            f"The record of what operators changed is not as it was written: {facts.audit_fault}.",
            "dctwire audit verify names the first row that is wrong.",
            "/audit",
        )


def _of_fleet(facts: Facts) -> Iterator[Trouble]:
    for family in facts.paused:
        advice = "It waits for somebody: resume it, or roll it back."
        yield Trouble(Weight.WARN, f"The rollout of {family} is paused.", advice, "/rollouts")
    for family, count in sorted(facts.silent.items()):
        if count:
            have = "has" if count == 1 else "have"
            text = f"{words.plural(count, 'device')} of {family} {have} not been seen for a week."
            yield Trouble(Weight.WARN, text, "Look whether they have power and a line.", "/fleet?silent=week")
    for family, count in sorted(facts.skewed.items()):
        if count:
            runs = "runs" if count == 1 else "run"
            text = f"{words.plural(count, 'device')} of {family} {runs} other tables than told to."
            yield Trouble(Weight.WARN, text, "Their pages say what became of the update.", "/fleet")
    if facts.clones:
        text = f"{words.plural(facts.clones, 'device')} may share an identity with another one."
        advice = "Revoke it, enrol both anew, then clear the mark."
        yield Trouble(Weight.WARN, text, advice, "/fleet?marked=clones")
    if facts.stale:
        text = f"{words.plural(facts.stale, 'device')} cannot take new tables: signed metadata have expired for them."
        yield Trouble(Weight.WARN, text, "dctwire trust status says which; renew what is expired.")


def _of_trainings(facts: Facts) -> Iterator[Trouble]:
    for family, failures in sorted(facts.failing.items()):
        if failures >= FAILURES:
            text = f"The last {words.plural(failures, 'training')} of {family} failed."
            yield Trouble(Weight.WARN, text, "The page of the last one says why.", f"/training?family={family}")
    for family in facts.overdue:
        text = f"The trainer that has the training of {family} has fallen silent."
        advice = "Start it again, or another one; it goes on with the same training."
        yield Trouble(Weight.WARN, text, advice, f"/training?family={family}")


def _of_trust(facts: Facts, now: float) -> Iterator[Trouble]:
    for role, at in sorted(facts.expiries.items(), key=lambda each: each[1]):
        name = ROLES.get(role, role)
        if at <= now:
            text = f"The signed {name} metadata expired {words.ago(at, now)}; devices take no new tables."
            yield Trouble(Weight.BAD, text, "dctwire trust status says what to sign anew.")
        elif at - now < EXPIRES_SOON_SECONDS.get(role, 0.0):
            text = f"The signed {name} metadata expire {words.ago(at, now)}."
            yield Trouble(Weight.WARN, text, "dctwire trust status says what to sign anew.")
    for key in facts.missing_keys:
        advice = "Copy it to this process's folder of online keys; no restart is needed."
        yield Trouble(Weight.WARN, f"This process lacks the online key {key}.", advice)


def _of_lines(facts: Facts, now: float) -> Iterator[Trouble]:
    for replica, name in sorted(facts.unserved.items()):
        text = f"Replica {replica} does not serve {name}, which others do."
        yield Trouble(Weight.WARN, text, "Its log says why.")
    for plane, bound in facts.open_planes.items():
        text = f"The {plane} plane can be reached from other machines without TLS: it listens on {bound}."
        advice = "Set TLS_CERTIFICATE and TLS_KEY, or BEHIND_PROXY: docs/operations.md, TLS, names and connections."
        yield Trouble(Weight.WARN, text, advice)
    expires_at = facts.certificate_expires_at
    if expires_at is not None and expires_at - now < CERTIFICATE_SECONDS:
        ends = "expired" if expires_at <= now else "expires"
        text = f"The server's TLS certificate {ends} {words.ago(expires_at, now)}."
        weight = Weight.BAD if expires_at <= now else Weight.WARN
        yield Trouble(weight, text, "Write the renewed files; they are taken without a restart.")
