"""What a signed targets entry says of a bundle beside its hash."""

from typing import Any

from shared.bundle import Bundle


def custom_of(bundle: Bundle) -> dict[str, Any]:
    """Both halves of a bundle in the one entry that is signed, so that they cannot be mixed."""
    return {
        "family": bundle.family,
        "counter": bundle.counter,
        "min_counter": bundle.min_counter,
        "classifier_sha256": bundle.classifier.sha256,
        "labels_sha256": bundle.classifier.labels_sha256,
    }
