"""The fallback of a family: a classifier for frames whose tables no bundle of the family has."""

import hashlib
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from shared.bundle.description import Description, Expected

FALLBACK_LIMIT_BYTES = 64 * 1024


class ExpectedOfTables(Expected):
    """What the trainer measured on held-out frames of certain tables; `tables` says in words which."""

    tables: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Fallback(Description):
    """What a server must know of a fallback. No device gets it, and it has no versions: it reads frames of any tables.

    Args:
        inputs: float32 coefficients, dequantised; a bundle's classifier takes int16 levels instead.
        expected: measurements for several tables, ordinary and random ones.
    """

    KIND: ClassVar[str] = "fallback"
    LIMIT_BYTES: ClassVar[int] = FALLBACK_LIMIT_BYTES

    inputs: Literal["coefficients"] = "coefficients"
    expected: Annotated[tuple[ExpectedOfTables, ...], Field(min_length=1)]

    @property
    def name(self) -> str:
        """`family/fallback-` and the start of its digest; another content has another name."""
        return f"{self.family}/fallback-{hashlib.sha256(self.to_bytes()).hexdigest()[:6]}"

    @property
    def target_path(self) -> str:
        """Where TUF's targets metadata lists its bytes; the path has no counter, so no device asks for it."""
        return f"{self.name}.json"

    @property
    def target_custom(self) -> dict[str, str | int | None]:
        """What its signed entry says beside its hash, like the entry of a bundle."""
        return {"family": self.family, "kind": "fallback", **self.signed_digests}
