"""From a published description and its blobs to a model in memory; everything is checked, nothing is believed."""

from dataclasses import dataclass, replace

import structlog

from cloud_server.errors import ClassifierError
from cloud_server.inference import golden as golden_frames
from cloud_server.inference.classifier import Classifier, Reads
from cloud_server.inference.memory import resident_bytes, trim
from cloud_server.inference.model_cache import require_room
from cloud_server.inference.precision import Precision, Trial, precision_to_serve
from cloud_server.inference.routing import Model, Published
from cloud_server.inference.warm_up import BatchLimits
from cloud_server.registry.onnx_file import check_onnx
from cloud_server.storage.blobs import Blobs
from shared.bundle import LABELS_LIMIT_BYTES, Bundle, ClassifierRef, Golden, LabelsError, Reference, labels_from_bytes
from shared.jpeg import Decoder

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Found:
    """What trying a classifier out told, so that it need not be tried again when it comes back into memory."""

    precision: Precision
    batch_max: int
    seconds: float
    cost_bytes: int


class Loading:
    """Builds models. One at a time, in the loader's thread: it takes seconds, and measures the process's memory.

    Args:
        memory_limit_bytes: what all models together may keep; a file that is larger is not even tried.
    """

    def __init__(self, blobs: Blobs, limits: BatchLimits, memory_limit_bytes: int) -> None:
        self._blobs = blobs
        self._limits = limits
        self._memory_limit_bytes = memory_limit_bytes
        self._found: dict[str, _Found] = {}

    def labels(self, ref: ClassifierRef) -> tuple[str, ...]:
        """The label list, in the order of the logits.

        Raises:
            BlobMissingError, BlobDigestError: the blob is not what `ref` names.
            ClassifierError: it is no list of labels.
        """
        return _labels(self._content(ref.labels_sha256, LABELS_LIMIT_BYTES))

    def reference(self, ref: ClassifierRef) -> Reference | None:
        """What the trainer measured for the server alone; None: nothing.

        Raises:
            BlobMissingError, BlobDigestError: the blob is not what `ref` names.
            BundleError: it is no reference.
        """
        if ref.reference_sha256 is None:
            return None
        return Reference.from_bytes(self._content(ref.reference_sha256, Reference.LIMIT_BYTES))

    def model(self, published: Published) -> Model:
        """Verify the blobs, try what they hold on the golden frames, and warm up the classifier that is to serve.

        Raises:
            UnsupportedBundleError: a bundle's frames cannot be read by this version.
            BlobMissingError, BlobDigestError: the blobs are not what `published` names.
            BundleError: the golden frames or the reference are none.
            ClassifierError: the classifier does not fit its description or its labels, or says something else of
                the golden frames than its trainer.
        """
        if isinstance(published, Bundle):
            published.require_supported()
        labels = self.labels(published.classifier)
        reference = self.reference(published.classifier)
        found = self._found.get(published.name)
        if found is not None:
            return replace(self._again(published, labels, found), reference=reference)
        trim()
        before = resident_bytes()
        model = self._first(published, labels)
        trim()
        file = self._blobs.path(_file(published.classifier, model.precision))
        cost_bytes = max(resident_bytes() - before, file.stat().st_size)
        classifier = model.classifier
        self._found[published.name] = _Found(model.precision, classifier.batch_max, classifier.seconds, cost_bytes)
        return replace(model, cost_bytes=cost_bytes, reference=reference)

    def _first(self, published: Published, labels: tuple[str, ...]) -> Model:
        golden = Golden.from_bytes(self._content(published.classifier.golden_sha256, Golden.LIMIT_BYTES))
        decoder = Decoder(published.tables) if isinstance(published, Bundle) else Decoder()
        fp32 = self._classifier(published, labels, Precision.FP32)
        golden_frames.check_logits(fp32, decoder, published.input, golden)
        fp32.warm_up(self._limits)
        if published.classifier.int8_sha256 is None:
            return Model(published, labels, fp32)
        int8 = self._classifier(published, labels, Precision.INT8)
        int8.warm_up(self._limits)

        def trial(classifier: Classifier) -> Trial:
            correct = golden_frames.count_correct(classifier, decoder, published.input, golden)
            return Trial(correct, len(golden.frames), classifier.seconds)

        tried = trial(fp32), trial(int8)
        precision = precision_to_serve(*tried)
        _log.info("precision-chosen", model=published.name, precision=precision.value, **_facts(*tried))
        return Model(published, labels, int8 if precision is Precision.INT8 else fp32, precision)

    def _again(self, published: Published, labels: tuple[str, ...], found: _Found) -> Model:
        classifier = self._classifier(published, labels, found.precision)
        classifier.warm_up_to(found.batch_max)
        classifier.seconds = found.seconds
        return Model(published, labels, classifier, found.precision, found.cost_bytes)

    def _content(self, sha256: str, limit_bytes: int) -> bytes:
        """A blob's bytes, of one that is too long just enough to see that."""
        with self._blobs.path(sha256).open("rb") as file:
            return file.read(limit_bytes + 1)

    def _classifier(self, published: Published, labels: tuple[str, ...], precision: Precision) -> Classifier:
        path = self._blobs.path(_file(published.classifier, precision))
        require_room(
            published.name, path.stat().st_size, self._memory_limit_bytes
        )  # before it costs more than its weights
        check_onnx(path)
        reads = Reads.LEVELS if isinstance(published, Bundle) else Reads.COEFFICIENTS
        return Classifier.load(path, published.input, len(labels), reads)


def _facts(fp32: Trial, int8: Trial) -> dict[str, int]:
    return {
        "golden_frames": fp32.frames,
        "fp32_correct": fp32.correct,
        "int8_correct": int8.correct,
        "fp32_us_a_frame": round(fp32.seconds * 1e6),
        "int8_us_a_frame": round(int8.seconds * 1e6),
    }


def _file(ref: ClassifierRef, precision: Precision) -> str:
    if precision is Precision.FP32:
        return ref.sha256
    assert ref.int8_sha256 is not None
    return ref.int8_sha256


def _labels(data: bytes) -> tuple[str, ...]:
    try:
        return labels_from_bytes(data)
    except LabelsError as error:
        raise ClassifierError(f"labels.json: {error}") from error
