"""What the ops plane answers, for its OpenAPI document."""

from cloud_server.api.http.openapi import TEXT, Answer, Content, Operation, Operations
from shared.wire import ProblemCode

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def _probe(summary: str) -> Operation:
    yes = Answer("Yes.", Content("ok", TEXT, "text/plain"))
    return Operation(summary, {200: yes}, [ProblemCode.NOT_READY])


OPS_OPERATIONS: Operations = {
    ("GET", "/metrics"): Operation(
        "Prometheus text.", {200: Answer("Every metric.", Content("metrics", TEXT, EXPOSITION))}
    ),
    ("GET", "/livez"): _probe("Whether the event loop and the database's writer turn; if not, start the process anew."),
    ("GET", "/startupz"): _probe("Whether the models have been loaded."),
    ("GET", "/readyz"): _probe("Whether frames are welcome: not while models are loaded, and not while draining."),
}
