"""The bundle: everything a device needs of one table version, and its identity."""

from shared.bundle.bundle import BUNDLE_LIMIT_BYTES, Bundle, Selftest, SelftestError
from shared.bundle.canonical import BundleError
from shared.bundle.classifier import (
    BUNDLE_NAME,
    FALLBACK_NAME,
    GOLDEN_NAME,
    INT8_NAME,
    LABELS_NAME,
    MODEL_NAME,
    REFERENCE_NAME,
    ClassifierRef,
)
from shared.bundle.description import CENTRE, Expected, InputGeometry, UnsupportedBundleError
from shared.bundle.encoding import EncoderSettings, Encoding
from shared.bundle.fallback import ExpectedOfTables, Fallback
from shared.bundle.family import Family
from shared.bundle.golden import GOLDEN_FRAMES_MAX, GOLDEN_LIMIT_BYTES, GOLDEN_LOGITS_MAX, Golden
from shared.bundle.labels import (
    LABELS_LIMIT_BYTES,
    Label,
    LabelsError,
    check_labels,
    labels_from_bytes,
    labels_to_bytes,
)
from shared.bundle.reference import REFERENCE_LIMIT_BYTES, BaselineFactor, Disagreement, Drift, Histogram, Reference
from shared.bundle.selftest import selftest_sha256

__all__ = [
    "BUNDLE_LIMIT_BYTES",
    "BUNDLE_NAME",
    "CENTRE",
    "FALLBACK_NAME",
    "GOLDEN_FRAMES_MAX",
    "GOLDEN_LIMIT_BYTES",
    "GOLDEN_LOGITS_MAX",
    "GOLDEN_NAME",
    "INT8_NAME",
    "LABELS_LIMIT_BYTES",
    "LABELS_NAME",
    "MODEL_NAME",
    "REFERENCE_LIMIT_BYTES",
    "REFERENCE_NAME",
    "BaselineFactor",
    "Bundle",
    "BundleError",
    "ClassifierRef",
    "Disagreement",
    "Drift",
    "EncoderSettings",
    "Encoding",
    "Expected",
    "ExpectedOfTables",
    "Fallback",
    "Family",
    "Golden",
    "Histogram",
    "InputGeometry",
    "Label",
    "LabelsError",
    "Reference",
    "Selftest",
    "SelftestError",
    "UnsupportedBundleError",
    "check_labels",
    "labels_from_bytes",
    "labels_to_bytes",
    "selftest_sha256",
]
