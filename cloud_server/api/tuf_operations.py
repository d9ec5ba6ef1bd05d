"""TUF's files in the OpenAPI documents of the two planes that serve them."""

from cloud_server.api.http.openapi import TEXT, Answer, Content, Operation, Operations, Parameter
from shared.wire import ProblemCode

TUF_OPERATIONS: Operations = {
    ("GET", "/tuf/{name}"): Operation(
        "One file of the TUF repository, with the server's date.",
        {
            200: Answer(
                "The file; only the timestamp ever changes.",
                Content("metadata or a bundle", {"type": "object"}),
                {"Cache-Control": "how long it may be kept", "Date": "the server's clock"},
            )
        },
        (ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
        [Parameter("name", "metadata/<file> or targets/<family>/<file>", TEXT, "path")],
    ),
}
