"""The table bundle: its fields, and the checks that a receiver makes before trusting them."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import Field, JsonValue, PlainSerializer, PlainValidator, field_serializer, model_validator

from shared.bundle.canonical import BundleError, Part
from shared.bundle.classifier import Sha256Hex
from shared.bundle.description import Description, Expected, UnsupportedBundleError
from shared.bundle.encoding import EncoderSettings, Encoding
from shared.bundle.selftest import selftest_sha256
from shared.errors import PeerError
from shared.jpeg import Sampling, TableSet

BUNDLE_LIMIT_BYTES = 4096
FEATURES: tuple[str, ...] = ()
"""What a bundle may ask for beyond the tables and settings of its schema, as far as this version can do it."""


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


Counter = Annotated[int, Field(ge=1, le=2**31 - 1)]
TablesField = Annotated[TableSet, PlainValidator(_tables_from_json), PlainSerializer(_tables_to_json)]
SettingsField = Annotated[
    EncoderSettings, PlainValidator(_settings_from_json), PlainSerializer(EncoderSettings.to_json)
]


class Selftest(Part):
    """Seed of the self-test picture, and the SHA-256 of the JPEG it must become."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    sha256: Sha256Hex


class Bundle(Description):
    """One table version of one family.

    Args:
        counter: only grows.
        min_counter: the oldest counter that is still safe to run.
        lapping: a filter across block borders, before the DCT; null: none. No version of dctwire does any yet.
    """

    KIND: ClassVar[str] = "bundle"
    LIMIT_BYTES: ClassVar[int] = BUNDLE_LIMIT_BYTES
    NEW: ClassVar[tuple[str, ...]] = (*Description.NEW, "lapping")

    counter: Counter
    min_counter: Counter
    tables: TablesField
    settings: SettingsField
    lapping: JsonValue = None
    expected: Expected
    selftest: Selftest

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
        """How cameras encode pixels with this bundle.

        Raises:
            UnsupportedBundleError: as `require_supported`.
        """
        self.require_supported()
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
            **self.signed_digests,
        }

    def require_supported(self) -> None:
        """Whether this version of dctwire can encode and classify with the bundle.

        Raises:
            UnsupportedBundleError: it cannot; says what the bundle asks for.
        """
        if self.lapping is not None and "lapping" not in FEATURES:
            raise UnsupportedBundleError(f"{self.name} asks for lapping, which this dctwire cannot do: update it")

    def check_selftest(self) -> None:
        """Encode the self-test picture on this machine and compare the result.

        Raises:
            SelftestError: the bytes differ from what the bundle promises.
            UnsupportedBundleError: as `require_supported`.
        """
        made = selftest_sha256(self.encoding, self.input.width, self.input.height, self.selftest.seed)
        if made != self.selftest.sha256:
            raise SelftestError(f"{self.name}: this encoder makes {made}, the bundle says {self.selftest.sha256}")
