"""What each label of the server's metrics may be: closed sets, taken from the code that counts with them."""

from collections.abc import Iterable, Mapping
from enum import Enum

from cloud_server.api.device.uploads import UPLOAD_ROUTES
from cloud_server.api.http.problems import DISCONNECTED, INTERNAL, SLOW_BODY
from cloud_server.api.http.protocol import MADE_ROOM, TURNED_AWAY
from cloud_server.feedback.reasons import Dropped, Reason
from cloud_server.fleet_metrics import PROGRAMS_NAMED_MAX
from cloud_server.inference.precision import Precision
from cloud_server.logs import COUNTED_LEVELS
from cloud_server.metrics import INTERCHANGE, LABELS_NAMED_MAX, Stage
from cloud_server.quality.baselines import Dropped as BaselineDropped
from cloud_server.quality_metrics import BOUNDS
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.gates import Opinion
from cloud_server.rollout.outcomes import Outcome
from cloud_server.rollout.standing import State
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.trainer_metrics import GATES_NAMED_MAX
from cloud_server.trainings.document import Opinion as TrainingOpinion
from cloud_server.trainings.standing import Outcome as TrainingOutcome
from cloud_server.trainings.standing import State as TrainingState
from shared.bundle.signals import Signal
from shared.wire import COMPANIONS, EventKind, Match


def _named(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _each(kinds: type[Enum]) -> str:
    return _named(kind.value for kind in kinds)


_REASONS = f"the [problem codes](wire-format.md#problems), `{INTERNAL.code}`"
_REASONS_OR_BROKEN_OFF = f"{_REASONS}, {_named((SLOW_BODY, DISCONNECTED))}"
LABELS: Mapping[str, str] = {
    "bound": _named(BOUNDS) + ": the share itself, and the ends of its interval",
    "cause": _each(Dropped),
    "correct": _named(("true", "false")),
    "direction": _named(("in", "out")) + ": from and to devices",
    "endpoint": "the endpoints of webhooks that the settings name",
    "family": "the families that something was published for",
    "event": "the names of events in the code, at most 200; others are `other`",
    "gate": _each(GateKind),
    "heard": _named(("lately", "silent")),
    "label": f"the classifier's first {LABELS_NAMED_MAX} labels, `other`",
    "level": _named(COUNTED_LEVELS),
    "longer_than": _named(("day", "week")),
    "match": _each(Match),
    "model": "the bundles and fallbacks that were published, as `family/counter` or `family/fallback-...`",
    "observer": "what is told of answered frames, such as `sampler`",
    "opinion": _each(Opinion),
    "part": _named(("scan", "tables", "markers", "http", "companion")),
    "plane": _named(("device", "operator")),
    "precision": _each(Precision),
    "quantile": _named(("0.5", "0.95")),
    "role": _named(("root", "targets", "online")),
    "route": (
        f"{_named(UPLOAD_ROUTES)}, the other endpoints of the device plane, `other`, `malformed`, "
        f"{_named((TURNED_AWAY, MADE_ROOM))}"
    ),
    "signal": _each(Signal),
    "stage": _each(Stage),
    "state": _each(State),
    "tables": f"`v` and the counter of a published bundle, `{INTERCHANGE}`, `unknown`; of devices also `none`",
    "version": f"the {PROGRAMS_NAMED_MAX} most frequent versions of the sensor's program, `other`",
}
"""The values of a label, in words, wherever it has the same ones."""

LABELS_OF: Mapping[tuple[str, str], str] = {
    ("dctwire_baselines_dropped_total", "cause"): _each(BaselineDropped),
    ("dctwire_build_info", "version"): "the server's own",
    ("dctwire_classifier_loads_total", "outcome"): _named(("loaded", "failed")),
    ("dctwire_companion_frames_total", "kind"): _named(sorted(kind.value for kind in COMPANIONS)),
    ("dctwire_devices_by_outcome", "outcome"): f"{_each(EventKind)}, `none`",
    ("dctwire_devices_held", "kind"): _each(HoldKind),
    ("dctwire_refused_calls_total", "reason"): _REASONS_OR_BROKEN_OFF,
    ("dctwire_refused_requests_total", "reason"): _REASONS_OR_BROKEN_OFF,
    ("dctwire_rejected_frames_total", "reason"): _REASONS,
    ("dctwire_rollout_devices", "outcome"): _each(Outcome),
    ("dctwire_samples_total", "reason"): _each(Reason),
    ("dctwire_trainer_gate_verdicts_total", "gate"): f"what the trainer calls it; {GATES_NAMED_MAX} at most, `other`",
    ("dctwire_trainer_gate_verdicts_total", "opinion"): _each(TrainingOpinion),
    ("dctwire_trainer_last_end_timestamp_seconds", "outcome"): _each(TrainingOutcome),
    ("dctwire_trainer_run_state", "state"): _named((TrainingState.QUEUED, TrainingState.RUNNING)),
    ("dctwire_trainer_runs_total", "outcome"): _each(TrainingOutcome),
    ("dctwire_webhook_deliveries_total", "outcome"): _named(("delivered", "failed")),
}
"""The values of a label of one metric, where they differ from metric to metric."""


def values_of(metric: str, label: str) -> str:
    """What this label of this metric may be, in words.

    Raises:
        KeyError: nobody has written it down yet, here in `LABELS` or `LABELS_OF`.
    """
    return LABELS_OF.get((metric, label)) or LABELS[label]
