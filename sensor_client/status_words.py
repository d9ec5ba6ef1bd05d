"""The state of a device in words: what is so, what it means, and what to do about it where something is to be done."""

from collections.abc import Iterator

from sensor_client.membership import KeptOut
from sensor_client.ota import FAILED_TRIAL, OfferError, Policy
from sensor_client.sources import Condition
from sensor_client.status import SettingsFromAfar, SourceStatus, Status
from shared.bundle import BundleError, SelftestError, UnsupportedBundleError
from shared.trust import TrustError
from shared.wire import AssignmentOutcome, EventKind, Trial, TrustState

Fact = tuple[str, str]
UNREADABLE_SHOWN = 10
"""Pictures that are named; the rest is counted."""

WHY_NOT = {
    TrustError.code: "its signatures do not verify, or its metadata have expired. It is tried again by itself; see "
    "dctwire trust status on the operator's machine",
    OfferError.code: "it is meant for other devices, or is older than the oldest that is still safe. Assign another "
    "one: dctwire assign FAMILY COUNTER",
    UnsupportedBundleError.code: "this program is too old for it. Update dctwire on this device",
    BundleError.code: "it is damaged or malformed. Export and publish it again",
    SelftestError.code: "the encoder here does not make the bytes that it promises. Use one version of dctwire here "
    "and where it was exported",
    FAILED_TRIAL: "it failed its trial on this device, and is not tried here again. Publish a corrected one under a "
    "higher number",
}
"""Why a bundle was turned down and what to do next, by its code."""
COUNTED = {
    "captured": "pictures taken",
    "unreadable": "pictures that could not be read",
    "unchanged": "pictures that showed nothing new",
    "passed_over": "pictures outside the share",
    "transcoded": "frames made of JPEG coefficients",
    "untranscodable": "frames made of its pixels instead",
    "encoded": "frames encoded",
    "encoded_bytes": "bytes of these",
    "acknowledged": "frames acknowledged by the server",
    "acknowledged_bytes": "bytes of these",
    "refused": "frames refused for good",
    "retried": "refused frames sent again by retry",
    "dropped": "frames dropped",
    "renumbered": "frames given another number",
    "labels_sent": "labels sent",
    "labels_refused": "labels refused",
    "probes_encoded": "probes encoded (second encodings)",
    "probes_sent": "probes sent",
    "probes_dropped": "probes dropped or refused",
    "rescues": "times a damaged spool was mended",
}
"""What is counted, in words."""


def facts(status: Status) -> Iterator[Fact]:
    """What the device is and does, each with its heading."""
    yield "device", _device(status)
    if status.refused_since is not None:
        yield "kept out", _kept_out(status)
    yield "tables in use", _tables(status)
    yield "tables before", status.previous_bundle or "none"
    if status.trial is not None:
        yield "on trial", _trial(status.trial)
    yield "assignment", _assignment(status)
    if status.last_outcome is not None:
        yield "last update", _outcome(status.last_outcome)
    if status.last_refused is not None:
        refused = status.last_refused
        yield "last refused", f"{refused.target}: {_why_not(refused.code)} ({refused.reason})"
    if status.settings is not None:
        yield "settings", _settings(status.settings)
    if status.source is not None:
        yield "source", _source(status.source)
    yield "signed lists", _trust(status.trust)
    yield "to be sent", _to_be_sent(status)
    if status.line_fault is not None:
        yield (
            "line",
            f"uploads have not got through since {status.line_failed_since} ({status.line_fault}). Pictures are kept, "
            "and tried again by themselves; where it lasts, check network, address, clock and proxy",
        )
    yield "sent so far", _traffic(status)
    if status.dead_letters:
        yield (
            "refused frames",
            f"{status.dead_letters} are kept; they are not sent again by themselves: dctwire-sensor dead-letters",
        )
    if status.dropped:
        yield "dropped", ", ".join(f"{count} for {name}" for name, count in status.dropped.items())
    if status.counters.get("renumbered"):
        yield (
            "numbers",
            f"{status.counters['renumbered']} times a frame got another number: this state is from an old copy, or "
            "another device has it, too. Nothing is lost; of two such devices, enrol one anew",
        )
    if status.counters.get("rescues"):
        yield (
            "spool",
            f"it was found damaged {_times(status.counters['rescues'])}; what could be read was moved, and the damaged "
            "file kept beside it (spool-damaged-N.sqlite3). Where that comes again, change the card",
        )
    for fault in status.faults:
        yield "fault", f"{fault}. While `run` works it mends what it can; otherwise its log says what to do"


def counts(status: Status) -> Iterator[Fact]:
    """What happened since the state directory was made."""
    for name, count in status.counters.items():
        yield COUNTED[name], str(count)


def unreadable(status: Status) -> Iterator[Fact]:
    """The pictures that could not be read."""
    for picture in status.unreadable_pictures[:UNREADABLE_SHOWN]:
        times = "once" if picture.times == 1 else f"{picture.times} times"
        yield "unreadable picture", f"{picture.name}: {picture.reason} (met {times})"
    if len(status.unreadable_pictures) > UNREADABLE_SHOWN:
        yield "", f"and {len(status.unreadable_pictures) - UNREADABLE_SHOWN} more, see status --json"


def _device(status: Status) -> str:
    if status.device_id is None:
        return "not enrolled yet. Next: dctwire-sensor enrol --server URL --claim CODE --root root.json --state STATE"
    return f"{status.device_id} of family {status.family}, with {status.server_url}"


def _kept_out(status: Status) -> str:
    kept_out = KeptOut.of(status.device_id or "DEVICE")
    return (
        f"since {status.refused_since} the server refuses this device's token. Pictures are taken and kept, and the "
        f"device tries again by itself. Where that does not end, {kept_out.means}. An operator types: "
        f"{kept_out.operator_types}. {kept_out.otherwise}"
    )


def _tables(status: Status) -> str:
    if status.active_bundle is None:
        return "none yet: no picture is taken before the first. The operator types dctwire assign FAMILY COUNTER"
    return f"{status.active_bundle} (tables {status.tables_id})"


def _trial(trial: Trial) -> str:
    return (
        f"{trial.target} has to prove itself: {trial.proofs} of {Policy().proofs_needed} frames were answered by its "
        f"own classifier; the program began {_times(trial.boots)} with it. Nothing is to be done; where it lasts, see "
        "whether pictures are taken and what dctwire bundles says of its classifier"
    )


def _assignment(status: Status) -> str:
    taken = f"{_times(status.bundles_activated)} new tables were taken, {_times(status.bundles_refused)} turned down"
    return f"none was decided yet; {taken}" if status.assignment_seq == 0 else f"{status.assignment_seq}; {taken}"


def _outcome(outcome: AssignmentOutcome) -> str:
    said = {
        EventKind.TRIAL: f"{outcome.target} is in use and has to prove itself",
        EventKind.CONFIRMED: f"{outcome.target} has proved itself and stays",
        EventKind.ROLLED_BACK: f"{outcome.target} failed here; the tables before it are in use again",
        EventKind.REJECTED: f"{outcome.target} was not taken",
    }[outcome.event]
    why = "" if outcome.code is None else f": {_why_not(outcome.code)}"
    reason = "" if outcome.reason is None else f" ({outcome.reason})"
    return f"{said}{why}{reason}"


def _settings(settings: SettingsFromAfar) -> str:
    said = ", ".join(f"{name.replace('_', '-')} {_value(value)}" for name, value in settings.said.items())
    whom = "the family" if settings.tag is None else f"devices with tag {settings.tag}"
    now = f"number {settings.in_effect} for {whom} is in effect, as far as this device's configuration lets it: {said}"
    if settings.in_effect is None:
        now = "none is in effect: this device does as it is configured"
    if settings.code is not None:
        then = "It is tried again by itself" if settings.is_open else "It is not tried again: set others"
        return f"{now}. {settings.named} was not taken ({settings.reason}). {then}"
    return f"{now}. {settings.named} is on its way" if settings.is_open else now


def _value(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _source(source: SourceStatus) -> str:
    now = {
        Condition.WAITING: f"no picture has come since {source.since}",
        Condition.GIVING: f"gives pictures since {source.since}, the last one seen at {source.last_picture_at}",
        Condition.LOST: f"lost since {source.since} ({source.fault}); it is tried again by itself. See whether it is "
        "there and answers: dctwire-sensor doctor --source ADDRESS",
        Condition.ENDED: f"ended at {source.since} ({source.fault})"
        if source.has_broken_off
        else f"ended in order at {source.since}",
    }[source.condition]
    still = "" if source.stillness is None else f"; its picture is {source.stillness} since {source.still_since}"
    told = f"{now}{still}; {source.pictures} pictures, lost {_times(source.losses)}, as told at {source.told_at}"
    return told if source.is_of_a_run else f"no program runs here now. When the last one told of it: {told}"


def _trust(trust: TrustState | None) -> str:
    if trust is None:
        return "none were fetched yet"
    signed = "" if trust.signed_at is None else f", signed {trust.signed_at}"
    versions = f"root {trust.root_version}, list {trust.targets_version}{signed}"
    if not trust.is_stale:
        return versions
    return (
        f"{versions}; expired, or this clock is far ahead: no new tables are taken, those in use go on. Check the "
        "clock; on the operator's machine see dctwire trust status, and renew with dctwire trust renew"
    )


def _traffic(status: Status) -> str:
    sent, received = sum(status.traffic_sent.values()), sum(status.traffic_received.values())
    for_what = ", ".join(f"{purpose} {count}" for purpose, count in sorted(status.traffic_sent.items()) if count)
    spent = ", ".join(f"{count} in the {window}" for window, count in status.traffic_spent.items())
    return (
        f"{sent} bytes ({for_what or 'nothing yet'}), and {received} received; of these {spent} under way (UTC). `run` "
        "writes this down every ten minutes at least"
    )


def _to_be_sent(status: Status) -> str:
    frames = f"{status.spooled_frames} frames ({status.spooled_bytes} bytes), {status.waiting_labels} labels"
    return f"{frames}, {status.waiting_probes} probes" if status.waiting_probes else frames


def _why_not(code: str) -> str:
    return WHY_NOT.get(code, code)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
