"""A model behind an address, against a server on loopback: what it says, and what it does not."""

from __future__ import annotations

import asyncio

import pytest

from examples.models import Message, ModelDown, ModelRefused, Remote, Tool, ToolCall
from tests.examples.model_server import Answer, Asked, serving

HELLO = [Message("system", "Be kind."), Message("user", "Hello?")]


def test_an_answer_comes_word_by_word() -> None:
    """Each piece is heard as it comes; the whole, and what it cost, is the reply."""
    heard: list[str] = []
    seen: list[Asked] = []

    def say(asked: Asked) -> Answer:
        seen.append(asked)
        return Answer("Hello to you")

    with serving(say) as url:
        reply = asyncio.run(Remote(url, "small", key="secret").reply(HELLO, hear=heard.append))
    assert (reply.text.split(), reply.calls, reply.tokens) == (["Hello", "to", "you"], (), 7)
    assert heard == ["Hello ", "to ", "you "]
    assert seen[0]["model"] == "small"
    assert seen[0]["authorization"] == "Bearer secret"
    assert seen[0]["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello?"},
    ]
    assert "secret" not in repr(Remote(url, "small", key="secret"))


def test_what_it_wants_done_is_put_together_from_its_parts() -> None:
    """Two calls, their arguments in halves; the next request carries them, and what came of them."""
    seen: list[Asked] = []

    def say(asked: Asked) -> Answer:
        seen.append(asked)
        return Answer(calls=[("look", '{"at": "rates"}'), ("pay", '{"amount": 3}')])

    tool = Tool("look", "Looks something up", {"type": "object", "properties": {"at": {"type": "string"}}})
    with serving(say) as url:
        reply = asyncio.run(Remote(url, "small").reply(HELLO, [tool]))
        after = [*HELLO, Message("assistant", calls=reply.calls), Message("tool", "1.5 %", answers="call-0")]
        asyncio.run(Remote(url, "small").reply(after))
    assert reply.calls == (ToolCall("call-0", "look", '{"at": "rates"}'), ToolCall("call-1", "pay", '{"amount": 3}'))
    assert seen[0]["tools"][0]["function"]["name"] == "look"
    assert seen[0]["authorization"] is None
    assert seen[1]["messages"][2]["tool_calls"][1]["function"] == {"name": "pay", "arguments": '{"amount": 3}'}
    assert seen[1]["messages"][3] == {"role": "tool", "content": "1.5 %", "tool_call_id": "call-0"}


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (Answer(status=503), ModelDown, "503"),
        (Answer(status=429), ModelDown, "429"),
        (Answer(status=400), ModelRefused, "not like this"),
        (Answer("One two three", cut=True), ModelDown, "in the middle"),
    ],
)
def test_what_may_pass_is_tried_again_and_what_may_not_is_not(
    answer: Answer, error: type[Exception], told: str
) -> None:
    """A server that is busy or dies is down; one that does not want the question has refused it."""
    with serving(lambda _: answer) as url, pytest.raises(error, match=told):
        asyncio.run(Remote(url, "small").reply(HELLO))


def test_nobody_at_the_address_is_down() -> None:
    """Refused connections are worth another attempt."""
    with serving(lambda _: Answer("never")) as url:
        pass
    with pytest.raises(ModelDown, match="ConnectError"):
        asyncio.run(Remote(url, "small").reply(HELLO))
