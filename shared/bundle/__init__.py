"""The bundle: everything a device needs of one table version, and its identity."""

from shared.bundle.bundle import (
    BUNDLE_LIMIT_BYTES,
    BUNDLE_NAME,
    FALLBACK_NAME,
    GOLDEN_NAME,
    INT8_NAME,
    LABELS_NAME,
    MODEL_NAME,
    Bundle,
    BundleError,
    ClassifierRef,
    Expected,
    InputGeometry,
    Selftest,
    SelftestError,
)
from shared.bundle.encoding import EncoderSettings, Encoding
from shared.bundle.fallback import ExpectedOfTables, Fallback
from shared.bundle.golden import GOLDEN_FRAMES_MAX, GOLDEN_LIMIT_BYTES, GOLDEN_LOGITS_MAX, Golden
from shared.bundle.labels import Label, LabelsError, check_labels, labels_from_bytes, labels_to_bytes
from shared.bundle.selftest import selftest_sha256

__all__ = [
    "BUNDLE_LIMIT_BYTES",
    "BUNDLE_NAME",
    "FALLBACK_NAME",
    "GOLDEN_FRAMES_MAX",
    "GOLDEN_LIMIT_BYTES",
    "GOLDEN_LOGITS_MAX",
    "GOLDEN_NAME",
    "INT8_NAME",
    "LABELS_NAME",
    "MODEL_NAME",
    "Bundle",
    "BundleError",
    "ClassifierRef",
    "EncoderSettings",
    "Encoding",
    "Expected",
    "ExpectedOfTables",
    "Fallback",
    "Golden",
    "InputGeometry",
    "Label",
    "LabelsError",
    "Selftest",
    "SelftestError",
    "check_labels",
    "labels_from_bytes",
    "labels_to_bytes",
    "selftest_sha256",
]
