"""The bundle: everything a device needs of one table version, and its identity."""

from shared.bundle.encoding import EncoderSettings, Encoding
from shared.bundle.fallback import ExpectedOfTables, Fallback
from shared.bundle.model import (
    BUNDLE_LIMIT_BYTES,
    Bundle,
    BundleError,
    ClassifierRef,
    Expected,
    InputGeometry,
    Selftest,
    SelftestError,
)
from shared.bundle.selftest import selftest_sha256

__all__ = [
    "BUNDLE_LIMIT_BYTES",
    "Bundle",
    "BundleError",
    "ClassifierRef",
    "EncoderSettings",
    "Encoding",
    "Expected",
    "ExpectedOfTables",
    "Fallback",
    "InputGeometry",
    "Selftest",
    "SelftestError",
    "selftest_sha256",
]
