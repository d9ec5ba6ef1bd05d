"""A frame's name, `<device id>.<sequence>`, as answers give it and as people type it."""

import re
from dataclasses import dataclass
from typing import Self

from cloud_server.errors import NotFoundError
from shared.wire import SEQUENCE_MAX

_FRAME_ID = re.compile(r"([a-z0-9]{1,16})\.(0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class FrameId:
    """A device's public id and its number for the frame."""

    device: str
    sequence: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The frame that `text` names.

        Raises:
            NotFoundError: `text` is no frame's name.
        """
        parts = _FRAME_ID.fullmatch(text)
        if parts is None or int(parts[2]) > SEQUENCE_MAX:
            raise NotFoundError(f"{text[:64]!r} is no frame's id; those are <device id>.<sequence>")
        return cls(parts[1], int(parts[2]))

    def __str__(self) -> str:
        return f"{self.device}.{self.sequence}"
