"""Language models as the examples talk to them: whatever speaks OpenAI's chat protocol, heard word by word.

`Remote` is told a server's address, as in `http://127.0.0.1:8000/v1`; an example's own scripted model stands in for it
where none is told. It needs httpx.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal, Protocol

import attrs
import httpx
import msgspec

TOO_MANY = 429
"""The HTTP status of a server that wants to be asked later (RFC 6585)."""
Role = Literal["system", "user", "assistant", "tool"]
Hear = Callable[[str], None]
"""Is told each piece of text as it comes; what it hears may be cut short, and come again at the next attempt."""


@attrs.frozen
class ToolCall:
    """What a model wants done: a tool, and its arguments as JSON."""

    id: str
    name: str
    arguments: str


@attrs.frozen
class Message:
    """One message of a conversation. `calls` are the assistant's; `answers` is, of a tool, the id of the call."""

    role: Role
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""


@attrs.frozen
class Tool:
    """What a model may ask for; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@attrs.frozen
class Reply:
    """What a model said, what it wants done, and how many tokens went in and out."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    tokens: int = 0


class ModelDown(Exception):
    """The model did not answer, or not now: worth another attempt."""


class ModelRefused(Exception):
    """The model will not answer this, however often it is asked."""


class Model(Protocol):
    """Answers a conversation."""

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, hear: Hear = ...) -> Reply:
        """Its next message. Raises ModelDown and ModelRefused."""
        ...


def hear_nothing(_piece: str) -> None:
    """For whoever waits for the whole."""


# The protocol, as far as it is needed: what comes from outside is decoded into these.


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int
    id: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Usage(msgspec.Struct):
    total_tokens: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None


_chunk = msgspec.json.Decoder(_Chunk).decode


@attrs.frozen
class Remote:
    """A model behind an address.

    Args:
        url: Of the server, up to and with its version, as in `https://models.example/v1`.
        model: Which of its models.
        key: What the server wants to be shown.
        patience: Seconds without a word after which it counts as down.
    """

    url: str
    model: str
    key: str = attrs.field(default="", repr=False)
    patience: float = 60.0

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, hear: Hear = hear_nothing
    ) -> Reply:
        """Ask it. Raises ModelDown and ModelRefused."""
        asked: dict[str, Any] = {
            "model": self.model,
            "messages": [_said(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            asked["tools"] = [{"type": "function", "function": attrs.asdict(tool)} for tool in tools]
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        address = f"{self.url.rstrip('/')}/chat/completions"
        try:
            async with (
                httpx.AsyncClient(timeout=self.patience) as client,
                client.stream("POST", address, json=asked, headers=headers) as answer,
            ):
                if not answer.is_success:
                    await answer.aread()
                    raise _refusal(answer)
                return await _gathered(answer.aiter_lines(), hear)
        except (httpx.TransportError, msgspec.DecodeError) as error:
            message = f"{address}: {type(error).__name__}: {error}"
            raise ModelDown(message) from error


def _said(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.calls
        ]
    if message.answers:
        said["tool_call_id"] = message.answers
    return said


def _refusal(answer: httpx.Response) -> Exception:
    message = f"{answer.url} answers {answer.status_code}: {answer.text[:500]}"
    later = answer.status_code == TOO_MANY or answer.is_server_error
    return ModelDown(message) if later else ModelRefused(message)


async def _gathered(lines: AsyncIterator[str], hear: Hear) -> Reply:
    text: list[str] = []
    calls: dict[int, ToolCall] = {}
    tokens, ended = 0, False
    async for line in lines:
        if not line.startswith("data:"):
            continue
        if (body := line.removeprefix("data:").strip()) == "[DONE]":
            ended = True
            break
        chunk = _chunk(body)
        tokens = chunk.usage.total_tokens if chunk.usage else tokens
        for choice in chunk.choices:
            if choice.delta.content:
                text.append(choice.delta.content)
                hear(choice.delta.content)
            for part in choice.delta.tool_calls or ():
                calls[part.index] = _grown(calls.get(part.index, ToolCall("", "", "")), part)
    if not ended:
        message = "it stopped in the middle of its answer"
        raise ModelDown(message)
    return Reply("".join(text), tuple(calls[index] for index in sorted(calls)), tokens)


def _grown(call: ToolCall, part: _Call) -> ToolCall:
    return ToolCall(
        part.id or call.id,
        call.name + (part.function.name or ""),
        call.arguments + (part.function.arguments or ""),
    )
