"""What is marked, or called what is never shown, is on no page and in no document."""

from __future__ import annotations

import dataclasses
import json

import attrs
import msgspec
import pytest

from persistence import MemoryJournal
from statemachine import Event, Redacted, Runner, State, Workflow, on, redacted
from statemachine.dashboard.ordering import in_order
from statemachine.dashboard.redaction import HIDDEN, Redaction, hide, marked
from tests.unit.dashboard.claims import BIRTH, IBAN, SETTLED, Claim, Claims, office

EVERYWHERE = (
    "/runs",
    "/runs/c1",
    "/runs/c1?after=0",
    "/sagas/c1",
    "/inbox",
    "/health",
    "/metrics",
    "/api/runs",
    "/api/runs/c1",
    "/api/inbox",
    "/api/health",
    "/api/statistics",
)


def test_nothing_hidden_is_on_any_page() -> None:
    """Neither in data nor in the journal's bodies, nor in an error, an incident or a reason that says it."""
    with office() as seen:
        run = seen.claim("c1")
        seen.sign_in()
        seen.world.append(ConnectionError(f"the bank does not know {IBAN} of {BIRTH}, nor tok-123456"))
        form = seen.form("/inbox", "Settle c1") | SETTLED | {"reason": f"asked about {IBAN}"}
        assert seen.visitor.post("/send", data=form).status_code == 200
        until_incident = seen.visitor
        while not run.incidents:
            until_incident.get("/health")
        for path in EVERYWHERE:
            shown = seen.page(path)
            for secret in (IBAN, BIRTH, "tok-123456", "sesame"):
                assert secret not in shown, (path, secret)
        told = json.loads(seen.page("/api/runs/c1"))
        assert told["run"]["data"] == {
            "name": "ada",
            "amount": 70,
            "account": HIDDEN,
            "born": HIDDEN,
            "api_token": HIDDEN,
            "reference": "R-1",
        }
        assert f"does not know {HIDDEN} of {HIDDEN}, nor {HIDDEN}" in told["run"]["incidents"][0]["message"]
        assert HIDDEN in seen.page("/runs/c1")
        assert run.data.account == IBAN


def test_a_pattern_hides_more() -> None:
    """By the name, without regard to case; in the listing's tags, too."""
    with office(redact=["^NAME$", "desk"]) as seen:
        seen.claim("c1", name="lovelace")
        shown = seen.page("/runs/c1") + seen.page("/api/runs") + seen.page("/inbox")
        assert "lovelace" not in shown
        assert "north" not in shown


class Inner(msgspec.Struct, frozen=True, rename="camel"):
    """Stored under other names."""

    home_address: Redacted[str] | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    """Of all three sorts."""

    inners: tuple[Inner, ...] = ()
    by_key: dict[str, Inner] = dataclasses.field(default_factory=dict)
    born: str = dataclasses.field(default="", metadata=redacted())
    seen: str = ""


class Seen(Event, frozen=True):
    """An event with a mark."""

    witness: Redacted[str]


class Nested(Workflow[Outer], name="nested"):
    """One state that takes it."""

    only = State(initial=True)
    end = State(final=True)
    see = on(Seen, source=only, to=end)


def test_marks_are_found_in_nested_types_under_their_stored_names() -> None:
    """In Structs, dataclasses and attrs classes, within collections and unions."""
    assert marked(Nested.definition) == {"homeAddress", "born", "witness"}
    assert marked(Claims.definition) == {"account", "born", "secret_word"}


def test_a_mark_changes_nothing_that_is_stored() -> None:
    """A field that becomes private needs no new version of its workflow."""

    @attrs.frozen
    class Before:
        name: str
        account: str = ""

    @attrs.frozen
    class After:
        name: str
        account: Redacted[str] = ""

    def hash_of(kind: type) -> str:
        class Same(Workflow[kind], name="same"):  # type: ignore[valid-type]
            only = State(initial=True)
            end = State(final=True)
            see = on(Seen, source=only, to=end)

        return str(Same.definition.hash)

    assert hash_of(Before) == hash_of(After)
    with Runner(MemoryJournal(), [Claims([])]) as runner:
        assert runner.start(Claims, Claim("ada"), id="c1").data.account == IBAN


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("password", True),
        ("PassWd", True),
        ("clientSecret", True),
        ("access_token", True),
        ("apiKey", True),
        ("iban", True),
        ("payer_iban", True),
        ("card_number", True),
        ("pin", True),
        ("shipping", False),
        ("spinning", False),
        ("name", False),
        ("liban", False),
    ],
)
def test_names_that_say_what_they_are_are_hidden(name: str, *, hidden: bool) -> None:
    """Without a mark, and no more than these."""
    assert Redaction(list).hides(name) is hidden


def test_values_are_hidden_whole_and_absent_ones_are_seen_to_be() -> None:
    """A collection under a hidden name is hidden as one."""
    redaction = Redaction(list)
    value = {"secrets": [{"a": 1}], "token": None, "pin": 1234, "list": [{"password": "x", "b": 2}]}
    assert redaction.value(value) == {
        "secrets": HIDDEN,
        "token": None,
        "pin": HIDDEN,
        "list": [{"password": HIDDEN, "b": 2}],
    }
    assert redaction.secrets(value) == {"1234"}
    assert hide("pin 12345 or 1234", ["1234", "12345"]) == f"pin {HIDDEN} or {HIDDEN}"


def test_data_reads_in_the_order_in_which_it_was_declared() -> None:
    """Nested data, too; what its type does not say comes last, and what does not fit stays as it is."""
    value = {"seen": "", "inners": [{"homeAddress": None}], "more": 1, "born": ""}
    assert list(in_order(value, Outer)) == ["inners", "born", "seen", "more"]
    assert in_order([1], Outer) == [1]
    assert in_order({"b": 1}, "no type") == {"b": 1}
