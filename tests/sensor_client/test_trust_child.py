"""The process that verifies answers one question, and asks for files on the way."""

import base64
import io
import json
from pathlib import Path

from sensor_client.trust_child import serve
from tests.sensor_client.signed_bundles import Publisher


def test_it_asks_for_files_and_says_how_that_ended(tmp_path: Path, publisher: Publisher) -> None:
    wanted = {
        "directory": str(tmp_path / "trust"),
        "root": base64.b64encode(publisher.root).decode(),
        "family": "signs",
        "now": 0.0,
        "wanted": "refresh",
    }
    replies = [{"error": "not-published", "said": "gone"}, {"error": "channel", "said": "the line is down"}]
    asked = io.BytesIO(b"".join(json.dumps(message).encode() + b"\n" for message in (wanted, *replies)))
    answers = io.BytesIO()

    serve(asked, answers)

    root, timestamp, end = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert root["path"].endswith("2.root.json") and timestamp["path"].endswith("timestamp.json")
    assert end["error"] == "channel" and "the line is down" in end["said"]
