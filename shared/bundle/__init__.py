"""The bundle: everything a device needs of one table version, and its identity."""

from shared.bundle.bundle import BUNDLE_LIMIT_BYTES, FEATURES, Bundle, Selftest, SelftestError
from shared.bundle.canonical import BundleError, canonical_json
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
from shared.bundle.description import CENTRE, SCHEMAS_READ, Expected, InputGeometry, UnsupportedBundleError
from shared.bundle.device_settings import (
    SETTINGS_COUNTER_MAX,
    SETTINGS_LIMIT_BYTES,
    TAG_CHARACTERS_MAX,
    TAG_PATTERN,
    DeviceSettings,
    settings_counter,
    settings_path,
)
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
    "FEATURES",
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
    "SCHEMAS_READ",
    "SETTINGS_COUNTER_MAX",
    "SETTINGS_LIMIT_BYTES",
    "TAG_CHARACTERS_MAX",
    "TAG_PATTERN",
    "BaselineFactor",
    "Bundle",
    "BundleError",
    "ClassifierRef",
    "DeviceSettings",
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
    "canonical_json",
    "check_labels",
    "labels_from_bytes",
    "labels_to_bytes",
    "selftest_sha256",
    "settings_counter",
    "settings_path",
]
