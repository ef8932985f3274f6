"""A server that speaks OpenAI's chat protocol on loopback, as far as the examples use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import attrs

Asked = dict[str, Any]


@attrs.frozen
class Answer:
    """What it says to one request. `calls` are `(name, arguments)`; `cut`: it hangs up in the middle."""

    text: str = ""
    calls: Sequence[tuple[str, str]] = ()
    status: int = 200
    cut: bool = False


def _chunks(answer: Answer) -> Iterator[dict[str, Any]]:
    for word in answer.text.split(" ") if answer.text else ():
        yield {"choices": [{"index": 0, "delta": {"content": word if word == answer.text else f"{word} "}}]}
    for index, (name, arguments) in enumerate(answer.calls):
        first = {"index": index, "id": f"call-{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"choices": [{"index": 0, "delta": {"content": None, "tool_calls": [first]}}]}
        for half in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            part = {"index": index, "function": {"arguments": half}}
            yield {"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}


@contextmanager
def serving(say: Callable[[Asked], Answer]) -> Iterator[str]:
    """Its address while the block runs. `say` is asked from a thread, with each request's JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/chat/completions"
            asked: Asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked["authorization"] = self.headers["Authorization"]
            answer = say(asked)
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            if answer.status != 200:
                self.wfile.write(b'{"error": {"message": "not like this"}}')
                return
            lines = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in _chunks(answer)]
            self.wfile.writelines(lines[:1] if answer.cut else [*lines, b"data: [DONE]\n\n"])

        def log_message(self, format: str, *args: object) -> None:
            """Silent: a test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
