"""Makes the golden bundles; `python -m tests.vectors.bundle_vectors` writes them anew."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from shared.bundle import (
    Bundle,
    ClassifierRef,
    EncoderSettings,
    Encoding,
    Expected,
    InputGeometry,
    Selftest,
    selftest_sha256,
)
from shared.jpeg import Fit, FitMode, TableSet

FOLDER = Path(__file__).parent / "bundle"


@cache
def bundles() -> dict[str, Bundle]:
    """File name to bundle, of both schemas: standard tables and plain rounding, and learned tables with all that
    settings, fit and classifier can say.
    """
    learned = TableSet.standard(12.5).with_quant([bytes(range(1, 65)), b"\xff" * 64, bytes(range(64, 0, -1))])
    settings = EncoderSettings(
        dead_zone=np.tile(np.arange(64, 0, -1, dtype=np.uint8), (3, 1)),
        zero_mask=np.add.outer(np.zeros(3, int), np.arange(64)) % 7 == 6,
        rdo_weights=np.arange(192, dtype=np.uint8).reshape(3, 64),
    )
    plain = ClassifierRef(sha256="a" * 64, labels_sha256="b" * 64, golden_sha256="c" * 64)
    with_twin = plain.model_copy(update={"int8_sha256": "d" * 64})
    with_all = with_twin.model_copy(update={"reference_sha256": "e" * 64})
    standard, wanted = Encoding(TableSet.standard(50)), Encoding(learned, settings)
    return {
        "standard-50.json": _bundle(1, standard, plain, schema_version=1),
        "learned.json": _bundle(2, wanted, with_twin, schema_version=1),
        "standard-50-schema-2.json": _bundle(3, standard, plain),
        "learned-schema-2.json": _bundle(4, wanted, with_all, fit=Fit(share=0.875)),
        "stretched-schema-2.json": _bundle(5, wanted, with_twin, fit=Fit(FitMode.STRETCH)),
    }


def _bundle(counter: int, encoding: Encoding, classifier: ClassifierRef, **fields: Any) -> Bundle:
    return Bundle(
        **fields,
        family="doorbell",
        counter=counter,
        min_counter=1,
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        input=InputGeometry(width=32, height=32),
        tables=encoding.tables,
        settings=encoding.settings,
        classifier=classifier,
        expected=Expected(bytes_p50=80.0, bytes_p95=120.0, accuracy=0.9, n=1000, data="synthetic"),
        selftest=Selftest(seed=7, sha256=selftest_sha256(encoding, 32, 32, 7)),
    )


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, bundle in bundles().items():
        (FOLDER / name).write_bytes(bundle.to_bytes())


if __name__ == "__main__":
    main()
