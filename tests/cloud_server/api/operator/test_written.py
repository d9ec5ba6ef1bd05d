"""Large documents are made beside the event loop."""

import asyncio
import threading

from cloud_server.api.operator.commands import Message
from cloud_server.api.operator.written import written


class _Made(Message):
    thread: int
    nothing: None = None


def test_a_document_is_made_and_written_in_another_thread_than_the_loops() -> None:
    answer = asyncio.run(written(lambda: _Made(thread=threading.get_ident())))
    assert answer.media_type == "application/json"
    made = _Made.model_validate_json(bytes(answer.body))
    assert made.thread != threading.get_ident()
