"""From a bundle and its blobs to a model in memory; everything is checked, nothing is believed."""

from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError

from cloud_server.errors import ClassifierError
from cloud_server.inference.serving import Model
from cloud_server.inference.session import Classifier
from cloud_server.registry.blobs import Blobs
from shared.bundle import Bundle

LABELS_MAX_BYTES = 1 << 20
_Labels = TypeAdapter(list[Annotated[str, StringConstraints(min_length=1, max_length=128)]])


def load_model(bundle: Bundle, blobs: Blobs, batch_max: int) -> Model:
    """Verify the blobs, build the session from its file and warm it up. Takes seconds; not for the event loop.

    Raises:
        BlobMissingError, BlobDigestError: the classifier or its labels are not what the bundle names.
        ClassifierError: they do not fit the bundle's geometry, or each other.
    """
    labels = _labels(blobs.path(bundle.classifier.labels_sha256).read_bytes())
    path = blobs.path(bundle.classifier.sha256)
    return Model(bundle, labels, Classifier.load(path, bundle.input, len(labels), (1, batch_max)))


def _labels(data: bytes) -> tuple[str, ...]:
    if len(data) > LABELS_MAX_BYTES:
        raise ClassifierError(f"labels.json has at most {LABELS_MAX_BYTES} bytes, not {len(data)}")
    try:
        labels = _Labels.validate_json(data)
    except ValidationError as error:
        raise ClassifierError(f"labels.json must be a JSON list of strings: {error.errors()[0]['msg']}") from error
    if not labels or len(set(labels)) != len(labels):
        raise ClassifierError("labels.json must list at least one label, each once")
    return tuple(labels)
