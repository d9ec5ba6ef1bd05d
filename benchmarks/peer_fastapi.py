"""A classifier behind FastAPI as many would write it today: a multipart upload, Pillow, numpy, ONNX Runtime.

    python -m benchmarks.peer_fastapi FOLDER --core 0 --port 8080 --endpoint sync

FOLDER holds `classifier.onnx` (input pixels) and `labels.json`. It speaks uvicorn's HTTP as `uvicorn[standard]` ships
it, without a line of log a request.
"""

import argparse
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, UploadFile
from starlette.concurrency import run_in_threadpool

from benchmarks.pixel_classifier import Answer, PixelClassifier


class Endpoint(StrEnum):
    """How a request is answered."""

    SYNC = "sync"  # all of it in FastAPI's thread pool
    THREAD = "thread"  # read on the event loop, classified in the thread pool
    LOOP = "loop"  # all of it on the event loop, which nothing else needs meanwhile


def create_app(classifier: PixelClassifier, endpoint: Endpoint) -> FastAPI:
    """POST /classify takes a multipart upload `file`."""
    app = FastAPI()
    app.post("/classify")(_endpoints(classifier)[endpoint])
    return app


def _endpoints(classifier: PixelClassifier) -> dict[Endpoint, Callable[..., Any]]:
    def sync(file: UploadFile) -> Answer:
        return classifier.classify(file.file.read())

    async def thread(file: UploadFile) -> Answer:
        return await run_in_threadpool(classifier.classify, await file.read())

    async def loop(file: UploadFile) -> Answer:
        return classifier.classify(await file.read())

    return {Endpoint.SYNC: sync, Endpoint.THREAD: thread, Endpoint.LOOP: loop}


def main() -> None:
    """Serve until a signal comes."""
    given = arguments()
    given.add_argument("--endpoint", type=Endpoint, choices=list(Endpoint), default=Endpoint.SYNC)
    asked = given.parse_args()
    os.sched_setaffinity(0, {asked.core})
    app = create_app(PixelClassifier(asked.folder), asked.endpoint)
    uvicorn.run(app, host="127.0.0.1", port=asked.port, log_level="warning", access_log=False)


def arguments() -> argparse.ArgumentParser:
    """What every peer is told."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("folder", type=Path)
    given.add_argument("--core", type=int, required=True)
    given.add_argument("--port", type=int, required=True)
    return given


if __name__ == "__main__":
    main()
