"""The same classifier behind LitServe with its batching: one worker process and one HTTP process, as fits one core.

python -m benchmarks.peer_litserve FOLDER --core 0 --port 8080 --wait 0.002 --fast-queue
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import litserve
import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.datastructures import FormData, UploadFile

from benchmarks.peer_fastapi import arguments
from benchmarks.pixel_classifier import Answer, PixelClassifier

BATCH = 32


class PixelAPI(litserve.LitAPI):  # type: ignore[misc]  # it has no types
    """POST /predict takes a multipart upload `file`."""

    def __init__(self, folder: Path, batch_timeout: float) -> None:
        super().__init__(max_batch_size=BATCH, batch_timeout=batch_timeout)
        self._folder = folder

    def setup(self, _device: str) -> None:
        """In the worker."""
        self._classifier = PixelClassifier(self._folder)

    def decode_request(self, request: Request) -> NDArray[np.float32]:
        """A file's pixels; LitServe has read the request, and gives its form."""
        file = cast(FormData, request)["file"]
        assert isinstance(file, UploadFile)
        return self._classifier.pixels(file.file.read())

    def predict(self, pixels: NDArray[np.float32]) -> Sequence[Answer]:
        """Of a batch."""
        return self._classifier.answers(pixels)

    def encode_response(self, output: Answer) -> Answer:
        """As it is."""
        return output


def main() -> None:
    """Serve until a signal comes."""
    given = arguments()
    given.add_argument("--wait", type=float, default=0.002, help="seconds for a batch to fill")
    given.add_argument("--fast-queue", action="store_true", help="ZeroMQ between the processes")
    asked = given.parse_args()
    os.sched_setaffinity(0, {asked.core})
    server = litserve.LitServer(PixelAPI(asked.folder, asked.wait), accelerator="cpu", fast_queue=asked.fast_queue)
    server.run(host="127.0.0.1", port=asked.port, generate_client_file=False, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
