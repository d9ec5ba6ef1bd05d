"""What a device remembers of settings from afar, so that a restart changes nothing. A damaged file counts as none."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shared import durable
from shared.bundle import BundleError, DeviceSettings
from shared.wire import SettingsState

LIMIT_BYTES = 8192


class SettingsRecord(BaseModel):
    """Settings as a device knows them.

    Args:
        named: the target path that the server named last; None: none.
        document: the canonical text of those that are in effect; None: of none.
        code, reason: why those that are named are not in effect.
        is_open: whether they are tried again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    named: str | None = None
    document: str | None = None
    code: str | None = None
    reason: str | None = None
    is_open: bool = True

    @property
    def settings(self) -> DeviceSettings | None:
        """Those that are in effect."""
        if self.document is None:
            return None
        try:
            return DeviceSettings.from_bytes(self.document.encode())
        except BundleError:
            return None

    @property
    def is_settled(self) -> bool:
        """Whether what is named is in effect, or was refused."""
        settings = self.settings
        return not self.is_open or self.named == (None if settings is None else settings.target_path)

    @property
    def state(self) -> SettingsState | None:
        """In the words of a heartbeat; None where there is nothing to tell."""
        settings = self.settings
        if self.named is None and settings is None:
            return None
        counter = None if settings is None else settings.counter
        return SettingsState(named=self.named, in_effect=counter, code=self.code, reason=self.reason)


class SettingsFile:
    """The record on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> SettingsRecord:
        """What was saved last; an empty record where nothing was, or it is damaged."""
        data = durable.bytes_of(self._path)
        if not 0 < len(data) <= LIMIT_BYTES:
            return SettingsRecord()
        try:
            found = SettingsRecord.model_validate_json(data)
        except ValidationError:
            return SettingsRecord()
        return found if found.document is None or found.settings is not None else SettingsRecord()

    def save(self, record: SettingsRecord) -> None:
        """Replace it.

        Raises:
            OSError: the disk is full, read-only or broken; it is as before.
        """
        durable.write_file(self._path, record.model_dump_json(exclude_none=True).encode(), mode=0o600)
