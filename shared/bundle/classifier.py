"""The server's half of a bundle: which files lie beside a description in its folder, and their digests."""

from typing import Annotated

from pydantic import StringConstraints

from shared.bundle.canonical import Part

BUNDLE_NAME, FALLBACK_NAME = "bundle.json", "fallback.json"  # descriptions, one a folder
MODEL_NAME, INT8_NAME = "classifier.onnx", "classifier-int8.onnx"
LABELS_NAME, GOLDEN_NAME, REFERENCE_NAME = "labels.json", "golden.json", "reference.json"

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ClassifierRef(Part):
    """SHA-256 digests of the files beside a description; no device downloads them.

    Args:
        sha256: digest of the ONNX file.
        labels_sha256: digest of the list of its labels.
        golden_sha256: digest of its golden frames, see `shared.bundle.Golden`.
        int8_sha256: digest of the same classifier in eight bits, where that holds its accuracy.
        reference_sha256: digest of what was measured for the server, see `shared.bundle.Reference`; since schema 2.
    """

    sha256: Sha256Hex
    labels_sha256: Sha256Hex
    golden_sha256: Sha256Hex
    int8_sha256: Sha256Hex | None = None
    reference_sha256: Sha256Hex | None = None

    @property
    def files(self) -> dict[str, str]:
        """The digest of each file by its name."""
        files = {
            MODEL_NAME: self.sha256,
            LABELS_NAME: self.labels_sha256,
            GOLDEN_NAME: self.golden_sha256,
            INT8_NAME: self.int8_sha256,
            REFERENCE_NAME: self.reference_sha256,
        }
        return {name: digest for name, digest in files.items() if digest is not None}
