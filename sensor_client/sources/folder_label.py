"""The label that a folder's name gives the pictures in it."""

from pathlib import Path

from sensor_client.logs import get_logger
from shared.bundle import LabelsError, check_labels
from shared.pictures import shown

_log = get_logger(__name__)


def label_of(folder: Path) -> str | None:
    """The label that a folder's name gives its pictures; a name that no label can have gives none."""
    try:
        check_labels([folder.name])
    except LabelsError as error:
        _log.warning("label-unusable", name=shown(folder), reason=str(error))
        return None
    return folder.name
