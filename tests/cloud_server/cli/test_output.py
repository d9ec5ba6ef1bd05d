"""Tables of the operator's commands, and what comes next after each error."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import typer
from typer.testing import CliRunner

from cloud_server.cli.app import app
from cloud_server.cli.output import NEXT_STEPS, explained_errors, say, show_table
from shared.errors import PeerError
from shared.wire import PROBLEM_MEDIA_TYPE, Plane, Problem, ProblemCode

OF_OPERATORS = {
    "bad-request": "--help",
    "conflict": "dctwire bundles",
    "ended-operator-token": "Ask an admin",
    "invalid-bundle": "dctwire-trainer export",
    "invalid-operator-token": "--token-file",
    "invalid-tables": "dctwire-trainer export",
    "not-found": "dctwire bundles",
    "not-ready": "Try again",
    "queue-full": "Try again",
    "quota-exceeded": "Try again",
    "role-needed": "dctwire operators role",
    "below-floor": "dctwire bundles",
    "not-listed": "dctwire publish FOLDER --keys KEYS",
    "selftest-failed": "same dctwire version",
    "timed-out": "Try again",
    "too-large": "DCTWIRE_SERVER_BLOB_MAX_BYTES",
    "unsupported-bundle": "Update dctwire",
    "untrusted": "--keys",
}
"""What the next step speaks of; any other code is of another version's server."""


def test_what_an_older_server_stored_gives_the_terminal_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "north\x1b[31m\x07\x9b2J\u202eroof"
    show_table(hostile, [{"name": hostile}], {"name": "name"}, "")
    say(hostile)
    with pytest.raises(typer.Exit), explained_errors(as_json=False):
        raise PeerError(hostile)
    written = capsys.readouterr()
    assert not set("\x1b\x07\x9b\u202e") & set(written.out + written.err)
    assert written.out.count("north\\x1b[31m\\x07\\x9b2J\\u202eroof") == 3
    assert "\\x1b[31m" in written.err


def test_a_narrow_terminal_cuts_nothing_off_and_breaks_nothing_in_two(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    columns = {name: name for name in ("frame", "family", "reason", "answer")}
    row = {"frame": "k3v9w2xa.17", "family": "cifar100", "reason": "near_threshold", "answer": "caterpillar"}
    show_table("Samples", [row], columns, empty="none")
    printed = capsys.readouterr().out
    assert all(value in printed for value in row.values())
    assert "…" not in printed


@pytest.mark.parametrize("code", [*ProblemCode, "internal", "code-of-a-newer-server"])
def test_every_refusal_has_the_next_step_that_fits_its_code(code: str) -> None:
    error = what_is_said_of(code)
    assert error["code"] == code
    expected = OF_OPERATORS.get(code, "the server's: its log" if code == "internal" else "dctwire --version")
    assert expected in error["next"]
    assert ("keys" in error["next"]) == (code in ("untrusted", "not-listed"))


def test_every_next_step_is_for_a_code_that_there_is() -> None:
    local = {"address", "disk", "internal", "no-tls", "proxy", "unknown-family", "unreachable", "unreachable-by-proxy"}
    local |= {"audit-broken", "file-exists", "key-file", "not-confirmed", "not-sent-yet", "token-file"}
    local |= {"unsafe-channel", "wrong-plane"}
    assert set(NEXT_STEPS) <= {*ProblemCode, *local}


def what_is_said_of(code: str) -> dict[str, str]:
    """What `dctwire bundles --json` says when an operator plane refuses with this code."""
    status = ProblemCode(code).status if code in set(ProblemCode) else 500
    problem = Problem.of(ProblemCode.BAD_REQUEST, "it is so").model_dump() | {"code": code, "status": status}

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_document = self.path == "/openapi.json"
            body = json.dumps({"info": {"title": Plane.OPERATOR}} if is_document else problem).encode()
            self.send_response(200 if is_document else status)
            self.send_header("content-type", PROBLEM_MEDIA_TYPE)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        result = CliRunner().invoke(app, ["bundles", "--json", "--server", url])
        server.shutdown()
        thread.join()
    assert result.exit_code == 1
    error: dict[str, str] = json.loads(result.stdout)["error"]
    return error
