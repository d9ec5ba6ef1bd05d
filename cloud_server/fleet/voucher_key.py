"""The file of the key that vouchers are made with. `dctwire trust init` makes it, too, without a server's libraries."""

import os
import tempfile
from pathlib import Path

from cloud_server.fleet.secrets import new_voucher_key
from shared.durable import sync_directory

KEY_NAME = "enrolment.key"
KEY_PATTERN = "[0-9a-f]{64}"


def make_key(folder: Path) -> bool:
    """Make the key in `folder`, mode 0600, unless there is one; of several processes that do so, one's is kept.

    Returns whether there was none.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / KEY_NAME
    if path.exists():
        return False
    descriptor, name = tempfile.mkstemp(".partial", f"{KEY_NAME}.", folder)  # mode 0600
    partial = Path(name)
    try:
        _write_synced(descriptor, f"{new_voucher_key().hex()}\n")
        _publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return True


def _write_synced(descriptor: int, text: str) -> None:
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _publish(partial: Path, path: Path) -> None:
    """Give the whole file its name, durably; nothing where another process was first."""
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        return
    sync_directory(path.parent)
