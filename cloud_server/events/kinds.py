"""What the server tells of that no operator did; what operators do goes by the audit's own actions."""

from enum import StrEnum


class EventKind(StrEnum):
    """The kinds of events. What a rollout does by itself stands in the audit, as `rollout.STATE`."""

    CLASSIFIER_FAILED = "classifier.failed"
    """It could not be loaded, or does not answer, and is left alone for a while."""
    CLASSIFIER_STOPPED = "classifier.stopped"
    """It did not come to an end with frames, and was told to stop."""
    CLONE_SUSPECTED = "device.suspected-clone"
    DRIFT_BEGAN = "drift.began"
    DRIFT_ENDED = "drift.ended"
    AUDIT_BROKEN = "audit.broken"
    METADATA_EXPIRING = "metadata.expiring"
    WEBHOOK_DROPPED = "webhook.dropped"
    """Some of what an endpoint was to be told waited for too long, and it will not be."""
    WEBHOOK_TEST = "webhook.test"
    """An operator asked for it; only the endpoint that it names is told."""
