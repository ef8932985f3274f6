"""The moderated chat: nothing reaches the customer unmoderated, and each answer once, wherever it is killed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from examples import moderated_chat
from examples.moderated_chat import (
    MODERATOR,
    Ask,
    Chat,
    Exchange,
    ModeratedChat,
    Pages,
    Release,
    ScriptedModerator,
    ScriptedWriter,
)
from statemachine.testing import Harness, every_crash
from tests.examples.model_server import Answer, Asked, serving


@attrs.frozen
class KeyedWire:
    """Remembers what was said, by key, as a real one would to say it once."""

    said: dict[str, str] = attrs.field(factory=dict[str, str])

    async def say(self, customer: str, text: str, *, key: str) -> None:
        """See `Wire`."""
        self.said[key] = f"{customer}: {text}"


def chat() -> ModeratedChat:
    """With the scripted models."""
    return ModeratedChat(Pages(), ScriptedWriter(), ScriptedModerator(), KeyedWire())


def heard(desk: Harness[ModeratedChat]) -> list[str]:
    """What the customer heard."""
    wire = desk.workflow.wire
    assert isinstance(wire, KeyedWire)
    return list(wire.said.values())


def conversation(desk: Harness[ModeratedChat]) -> object:
    """A question that the moderator lets pass, one that an editor must answer, and one asked meanwhile."""
    desk.start(Chat("Ada"), id="chat-ada")
    desk.send(Ask("How do I block my lost card?"))
    desk.send(Ask("Which savings will make me rich?"))
    desk.send(Ask("What does a new card cost?"))
    desk.send(Release(by="Grace", text="We cannot advise you on that."))
    return heard(desk)


def test_what_the_moderator_refuses_waits_for_an_editor() -> None:
    """Twice drafted, twice refused; the question after it waits its turn, and the log says who let pass what."""
    with Harness(chat()) as desk:
        desk.start(Chat("Ada"))
        desk.send(Ask("Which savings will make me rich?"))
        assert desk.look().state == ("editing",)
        desk.send(Ask("What does a new card cost?"))
        assert desk.look().data.drafts == 2
        assert heard(desk) == []
        desk.send(Release(by="Grace", text="Please talk to a colleague."))
        assert desk.look().state == ("listening",)
        first, second = desk.look().data.said
    assert first == Exchange("Which savings will make me rich?", "Please talk to a colleague.", "Grace")
    assert second.passed_by == MODERATOR
    assert "12 euros" in second.answer
    assert heard(desk) == ["Ada: Please talk to a colleague.", f"Ada: {second.answer}"]


def test_a_silent_customer_ends_the_conversation() -> None:
    """A day after the last answer, in no time."""
    with Harness(chat()) as desk:
        desk.start(Chat("Ada"))
        desk.advance(timedelta(hours=23))
        assert desk.look().status == "running"
        desk.advance(timedelta(hours=2))
        assert desk.look().state == ("closed",)


@pytest.mark.slow
def test_killed_at_every_journal_position_it_comes_to_the_same(tmp_path: Path) -> None:
    """The same words, once each, in the same order, and the same conversation."""
    trial = every_crash(chat, conversation, folder=tmp_path)
    assert len(trial.points) > 50
    assert isinstance(trial.end.gave, list)
    assert len(trial.end.gave) == 3


def test_it_is_a_program_that_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As one types it: the default questions, and one more in the same journal."""
    file = ["--journal", str(tmp_path / "chat.db")]
    assert moderated_chat.main(file) == 0
    assert "0800 77" in capsys.readouterr().out
    assert moderated_chat.main(["What does a loan cost?", *file]) == 0
    said = capsys.readouterr().out
    assert "repaid early" in said
    assert said.rstrip().startswith("What does a loan cost?", 1)
    assert "5 answers" in said


def test_it_speaks_to_any_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both models behind one address; it is told who it is in each request."""

    def say(asked: Asked) -> Answer:
        moderates = "You moderate" in asked["messages"][0]["content"]
        return Answer("OK" if moderates else "It is insured.")

    with serving(say) as url:
        assert moderated_chat.main(["Is my card insured?", "--url", url, "--journal", str(tmp_path / "chat.db")]) == 0
    assert "to Ada: It is insured." in capsys.readouterr().out
