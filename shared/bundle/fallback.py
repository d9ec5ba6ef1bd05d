"""The fallback of a family: a classifier for frames whose tables no bundle of the family has."""

import hashlib
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.bundle.bundle import (
    BundleError,
    ClassifierRef,
    Expected,
    Family,
    InputGeometry,
    canonical_json,
    first_fault,
)


class ExpectedOfTables(Expected):
    """What the trainer measured on held-out frames of certain tables; `tables` says in words which."""

    tables: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Fallback(BaseModel):
    """What a server must know of a fallback. No device gets it, and it has no versions: it reads frames of any tables.

    Args:
        inputs: float32 coefficients, dequantised; a bundle's classifier takes int16 levels instead.
        expected: measurements for several tables, ordinary and random ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    family: Family
    created_at: AwareDatetime
    input: InputGeometry
    inputs: Literal["coefficients"] = "coefficients"
    classifier: ClassifierRef
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
        return {"family": self.family, "kind": "fallback", **self.classifier.signed_digests}

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, ASCII."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse canonical bytes.

        Raises:
            BundleError: not canonical, or a field is missing, unknown or out of range; says which.
        """
        try:
            fallback = cls.model_validate_json(data)
        except ValidationError as error:
            raise BundleError(first_fault(error)) from error
        if fallback.to_bytes() != data:
            raise BundleError("the fallback is not in canonical form (sorted keys, no spaces)")
        return fallback
