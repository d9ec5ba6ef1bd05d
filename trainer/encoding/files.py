"""What a run's cameras would do with pixels, and its two files: tables any JPEG library reads, settings as JSON."""

import json
from pathlib import Path

from shared.bundle import EncoderSettings, Encoding
from shared.errors import PeerError
from shared.jpeg import TableSet
from trainer.errors import RunError
from trainer.whole_file import write_whole

__all__ = ["EncoderSettings", "Encoding", "read_encoding", "write_encoding"]

TABLES_NAME, SETTINGS_NAME = "tables.jpg", "encoder.json"


def write_encoding(encoding: Encoding, folder: Path) -> None:
    """Write an encoding's two files."""
    settings = json.dumps(encoding.settings.to_json(), indent=2).encode() + b"\n"
    write_whole(folder / TABLES_NAME, lambda file: file.write(encoding.tables.to_stream()))
    write_whole(folder / SETTINGS_NAME, lambda file: file.write(settings))


def read_encoding(folder: Path) -> Encoding:
    """Read an encoding from its two files.

    Raises:
        RunError: one is missing or damaged.
    """
    try:
        tables = TableSet.from_stream((folder / TABLES_NAME).read_bytes())
    except (OSError, PeerError) as error:
        raise RunError(f"{folder / TABLES_NAME}: {error}") from error
    try:
        settings = EncoderSettings.from_json(json.loads((folder / SETTINGS_NAME).read_bytes()))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / SETTINGS_NAME}: {error}") from error
    return Encoding(tables, settings)
