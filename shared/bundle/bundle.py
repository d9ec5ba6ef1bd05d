"""The table bundle: its fields, its canonical bytes, and the checks that a receiver makes before trusting them."""

import base64
import binascii
import json
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationError,
    field_serializer,
    model_validator,
)

from shared.bundle.encoding import EncoderSettings, Encoding
from shared.bundle.selftest import selftest_sha256
from shared.errors import PeerError
from shared.jpeg import Sampling, TableSet

BUNDLE_LIMIT_BYTES = 4096
BUNDLE_NAME, FALLBACK_NAME = "bundle.json", "fallback.json"  # descriptions, one a folder
MODEL_NAME, INT8_NAME = "classifier.onnx", "classifier-int8.onnx"
LABELS_NAME, GOLDEN_NAME = "labels.json", "golden.json"


class BundleError(PeerError):
    """These bytes are no bundle: too long, not canonical, or a field is missing, unknown or out of range."""

    code: ClassVar[str] = "invalid-bundle"


class SelftestError(BundleError):
    """This machine's encoder does not make the bytes the bundle promises."""

    code: ClassVar[str] = "selftest-failed"


def _tables_from_json(value: object) -> TableSet:
    if isinstance(value, TableSet):
        return value
    if not isinstance(value, str):
        raise ValueError("tables must be base64 text")  # noqa: TRY004 - pydantic reports ValueErrors
    try:
        stream = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"tables are not base64: {error}") from error
    try:
        return TableSet.from_stream(stream)
    except PeerError as error:
        raise ValueError(f"tables: {error}") from error


def _tables_to_json(tables: TableSet) -> str:
    return base64.b64encode(tables.to_stream()).decode()


def _settings_from_json(value: object) -> EncoderSettings:
    return value if isinstance(value, EncoderSettings) else EncoderSettings.from_json(value)


Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Family = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Counter = Annotated[int, Field(ge=1, le=2**31 - 1)]
TablesField = Annotated[TableSet, PlainValidator(_tables_from_json), PlainSerializer(_tables_to_json)]
SettingsField = Annotated[
    EncoderSettings, PlainValidator(_settings_from_json), PlainSerializer(EncoderSettings.to_json)
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class InputGeometry(_Part):
    """What a frame of this bundle looks like; width and height in pixels, whole 16-pixel MCUs."""

    width: Annotated[int, Field(ge=16, le=4096, multiple_of=16)]
    height: Annotated[int, Field(ge=16, le=4096, multiple_of=16)]
    sampling: Literal["4:2:0"] = "4:2:0"


class ClassifierRef(_Part):
    """The server's half of a bundle: SHA-256 digests of files that lie beside the description in its folder.

    Args:
        sha256: digest of the ONNX file.
        labels_sha256: digest of the list of its labels.
        golden_sha256: digest of its golden frames, see `shared.bundle.Golden`.
        int8_sha256: digest of the same classifier in eight bits, where that holds its accuracy.
    """

    sha256: Sha256Hex
    labels_sha256: Sha256Hex
    golden_sha256: Sha256Hex
    int8_sha256: Sha256Hex | None = None

    @property
    def signed_digests(self) -> dict[str, str | None]:
        """All digests by the names that a signed targets entry uses."""
        return {"classifier_sha256" if name == "sha256" else name: digest for name, digest in self.model_dump().items()}

    @property
    def files(self) -> dict[str, str]:
        """The digest of each file by its name."""
        files = {MODEL_NAME: self.sha256, LABELS_NAME: self.labels_sha256, GOLDEN_NAME: self.golden_sha256}
        return files if self.int8_sha256 is None else files | {INT8_NAME: self.int8_sha256}


class Expected(_Part):
    """What the trainer measured on `n` held-out frames of the data set `data`: scan bytes a frame, accuracy 0 to 1."""

    bytes_p50: Annotated[float, Field(ge=0)]
    bytes_p95: Annotated[float, Field(ge=0)]
    accuracy: Annotated[float, Field(ge=0, le=1)]
    n: Annotated[int, Field(ge=1, le=2**31 - 1)]
    data: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Selftest(_Part):
    """Seed of the self-test picture, and the SHA-256 of the JPEG it must become."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    sha256: Sha256Hex


class Bundle(_Part):
    """One table version of one family. `counter` only grows; `min_counter` is the oldest one still safe to run."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    family: Family
    counter: Counter
    min_counter: Counter
    created_at: AwareDatetime
    input: InputGeometry
    tables: TablesField
    settings: SettingsField
    classifier: ClassifierRef
    expected: Expected
    selftest: Selftest

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.min_counter > self.counter:
            raise ValueError(f"min_counter {self.min_counter} is above counter {self.counter}")
        if self.tables.sampling is not Sampling(self.input.sampling):
            raise ValueError(f"tables are {self.tables.sampling}, input is {self.input.sampling}")
        return self

    @field_serializer("created_at")
    def _created_at_text(self, value: datetime) -> str:
        return value.isoformat()

    @property
    def name(self) -> str:
        """`family/counter`, as people and metrics call it."""
        return f"{self.family}/{self.counter}"

    @property
    def encoding(self) -> Encoding:
        """How cameras encode pixels with this bundle."""
        return Encoding(self.tables, self.settings)

    @property
    def target_path(self) -> str:
        """Where TUF's targets metadata lists the bundle's bytes."""
        return f"{self.name}.json"

    @property
    def target_custom(self) -> dict[str, str | int | None]:
        """What its signed entry says beside its hash: both halves in one entry, so that they cannot be mixed."""
        return {
            "family": self.family,
            "counter": self.counter,
            "min_counter": self.min_counter,
            **self.classifier.signed_digests,
        }

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, ASCII. Equal bundles have equal bytes."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse canonical bytes of at most `BUNDLE_LIMIT_BYTES`.

        Raises:
            BundleError: too long, not JSON, not canonical, or not a valid bundle; says which field.
        """
        if len(data) > BUNDLE_LIMIT_BYTES:
            raise BundleError(f"a bundle has at most {BUNDLE_LIMIT_BYTES} bytes, not {len(data)}")
        try:
            bundle = cls.model_validate_json(data)
        except ValidationError as error:
            raise BundleError(first_fault(error)) from error
        if bundle.to_bytes() != data:
            raise BundleError("the bundle is not in canonical form (sorted keys, no spaces)")
        return bundle

    def check_selftest(self) -> None:
        """Encode the self-test picture on this machine and compare the result.

        Raises:
            SelftestError: the bytes differ from what the bundle promises.
        """
        made = selftest_sha256(self.encoding, self.input.width, self.input.height, self.selftest.seed)
        if made != self.selftest.sha256:
            raise SelftestError(f"{self.name}: this encoder makes {made}, the bundle says {self.selftest.sha256}")


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def first_fault(error: ValidationError) -> str:
    """The first wrong field and its fault, as one line."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"]) or "bundle"
    return f"{where}: {fault['msg']}"
