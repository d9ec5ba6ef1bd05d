"""The process that verifies what is signed: asked one thing by `trust_process`, it answers and ends."""

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from shared.errors import ChannelError
from shared.trust import NotPublishedError, OtherSignerError, TrustClient, TrustError


def main() -> None:
    """Read what is wanted from standard input, and answer on standard output."""
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Answer one question; files are asked for on the way."""
    wanted = json.loads(asked.readline())

    def fetch(path: str, limit_bytes: int, seconds: float) -> Iterator[bytes]:
        _write(answers, {"path": path, "limit_bytes": limit_bytes, "seconds": seconds})
        reply = json.loads(asked.readline())
        if reply.get("error") == "not-published":
            raise NotPublishedError(reply["said"])
        if "error" in reply:
            raise ChannelError(reply["said"])
        yield base64.b64decode(reply["data"])

    root = None if wanted["root"] is None else base64.b64decode(wanted["root"])
    client = TrustClient(Path(wanted["directory"]), root, fetch, wanted["family"], now=lambda: wanted["now"])
    _write(answers, _answer(client, wanted))


def _answer(client: TrustClient, wanted: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    try:
        if wanted["wanted"] == "refresh":
            client.refresh()
        elif wanted["wanted"] == "download":
            target = client.download(wanted["target"], [base64.b64decode(one) for one in wanted["known"]])
            answer = {
                "data": base64.b64encode(target.data).decode(),
                "custom": target.custom,
                "min_counter": target.min_counter,
            }
        told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in _facts(client)}
    except OtherSignerError as error:
        return {"error": "other-signer", "said": str(error)}
    except TrustError as error:
        return {"error": "trust", "said": str(error)}
    except ChannelError as error:
        return {"error": "channel", "said": str(error)}
    except OSError as error:
        return {"error": "disk", "said": str(error)}
    return {**answer, "standing": told}


def _facts(client: TrustClient) -> Iterator[tuple[str, Any]]:
    yield from asdict(client.standing()).items()


def _write(pipe: IO[bytes], message: dict[str, Any]) -> None:
    pipe.write(json.dumps(message).encode() + b"\n")
    pipe.flush()
