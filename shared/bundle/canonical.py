"""What all descriptions here have in common: one content has one form, canonical JSON with a limit on its length."""

import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import PeerError


class BundleError(PeerError):
    """These bytes are no bundle: too long, not canonical, or a field is missing, unknown or out of range."""

    code: ClassVar[str] = "invalid-bundle"


class Part(BaseModel):
    """A part of a description: read-only, every field known, nothing converted."""

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True
    )


class Canonical(Part):
    """A description as a whole, and its bytes.

    Attributes:
        KIND: what it is, for messages.
        LIMIT_BYTES: how long its bytes may be.
    """

    KIND: ClassVar[str]
    LIMIT_BYTES: ClassVar[int]

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, ASCII. Equal contents have equal bytes.

        Raises:
            BundleError: they would be longer than `LIMIT_BYTES`, or hold a number that JSON has no form for.
        """
        data = canonical_json(self._members())
        self._check_length(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse canonical bytes.

        Raises:
            BundleError: too long, not JSON, not canonical, or a field is missing, unknown or out of range; says which.
        """
        cls._check_length(data)
        try:
            parsed = cls.model_validate_json(data)
        except ValidationError as error:
            raise cls._refusal(error) from error
        if parsed.to_bytes() != data:
            raise BundleError(f"the {cls.KIND} is not in canonical form (sorted keys, no spaces, no field left out)")
        return parsed

    def _members(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def _refusal(cls, error: ValidationError) -> BundleError:
        """The error of ours for what pydantic found: the first wrong field and its fault, as one line."""
        fault = error.errors(include_context=False, include_input=False)[0]
        where = [".".join(str(part) for part in fault["loc"])] if fault["loc"] else []
        return BundleError(": ".join([cls.KIND, *where, fault["msg"]]))

    @classmethod
    def _check_length(cls, data: bytes) -> None:
        if len(data) > cls.LIMIT_BYTES:
            raise BundleError(f"a {cls.KIND} has at most {cls.LIMIT_BYTES} bytes; this one has more")


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only.

    Raises:
        BundleError: a number is not finite.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    except ValueError as error:
        raise BundleError(f"JSON has no form for a number in it: {error}") from error
