"""What the descriptions of a bundle and of a fallback have in common: the schemas, geometry, fit, and digests."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    field_serializer,
    model_validator,
)

from shared.bundle.canonical import BundleError, Canonical, Part
from shared.bundle.classifier import ClassifierRef
from shared.bundle.family import Family
from shared.jpeg import Fit

SCHEMA: Literal[2] = 2  # what is written; 1 is still read
SCHEMAS_READ = (1, SCHEMA)
CENTRE = Fit()


class UnsupportedBundleError(BundleError):
    """A bundle that asks for what this version of dctwire cannot do: a later one may."""

    code: ClassVar[str] = "unsupported-bundle"


class InputGeometry(Part):
    """What a frame of this bundle looks like; width and height in pixels, whole 16-pixel MCUs."""

    width: Annotated[int, Field(ge=16, le=4096, multiple_of=16)]
    height: Annotated[int, Field(ge=16, le=4096, multiple_of=16)]
    sampling: Literal["4:2:0"] = "4:2:0"


class Expected(Part):
    """What the trainer measured on `n` held-out frames of the data set `data`: scan bytes a frame, accuracy 0 to 1."""

    bytes_p50: Annotated[FiniteFloat, Field(ge=0)]
    bytes_p95: Annotated[FiniteFloat, Field(ge=0)]
    accuracy: Annotated[float, Field(ge=0, le=1)]
    n: Annotated[int, Field(ge=1, le=2**31 - 1)]
    data: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Description(Canonical):
    """Fields of every description.

    Args:
        fit: which part of a picture of another size is shown; of schema 1, the middle at the frame's aspect.
    """

    NEW: ClassVar[tuple[str, ...]] = ("fit",)  # fields that schema 1 has not

    schema_version: Literal[1, 2] = Field(default=SCHEMA, alias="schema")
    family: Family
    created_at: AwareDatetime
    input: InputGeometry
    fit: Fit = CENTRE
    classifier: ClassifierRef

    @model_validator(mode="after")
    def _says_what_its_schema_can(self) -> Self:
        if self.schema_version == 1:
            said = self.model_fields_set.intersection(self.NEW)
            if "reference_sha256" in self.classifier.model_fields_set:
                said.add("classifier.reference_sha256")
            if said:
                raise ValueError(f"schema 1 has no {', '.join(sorted(said))}")
        return self

    @field_serializer("fit")
    def _fit_object(self, value: Fit) -> dict[str, str | float]:
        return {"mode": value.mode.value, "share": float(value.share)}

    @property
    def signed_digests(self) -> dict[str, str | None]:
        """All digests by the names that a signed targets entry uses."""
        digests = self.classifier.model_dump(exclude=None if self.schema_version > 1 else {"reference_sha256"})
        return {"classifier_sha256" if name == "sha256" else name: digest for name, digest in digests.items()}

    def _members(self) -> dict[str, Any]:
        members = super()._members()
        if self.schema_version == 1:
            for name in self.NEW:
                del members[name]
            del members["classifier"]["reference_sha256"]
        return members

    @classmethod
    def _refusal(cls, error: ValidationError) -> BundleError:
        fault = error.errors(include_url=False)[0]
        schema = fault["input"]
        if fault["loc"] == ("schema",) and type(schema) is int and schema > SCHEMA:
            return UnsupportedBundleError(
                f"schema {schema} of a {cls.KIND} is newer than this dctwire, which reads 1 to {SCHEMA}: update it"
            )
        return super()._refusal(error)
