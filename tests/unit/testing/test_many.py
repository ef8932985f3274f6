"""The kit for users with a step that is done for each of many items: the sound passes, the careless is found."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
from hypothesis.stateful import run_state_machine_as_test

from statemachine import Call, Event, Retry, State, Workflow, check, evolve, on, step
from statemachine.snapshot import Failure
from statemachine.testing import WorkflowMachine
from statemachine.testing.host import Host
from statemachine.workflow import bind
from tests.unit.testing.test_machine import BRIEF


@attrs.frozen
class Batch:
    names: tuple[str, ...] = ("a", "b", "c")
    done: int = 0


class Discard(Event, frozen=True):
    """They go."""


class Keep(Event, frozen=True):
    """They stay."""


@attrs.define
class Shelf:
    """A receiver that deduplicates by key, or (`careless`) does not."""

    careless: bool = False
    held: dict[str, int] = attrs.field(factory=dict[str, int])

    def put(self, key: str) -> None:
        self.held[key] = self.held.get(key, 0) + 1 if self.careless else 1


def names(batch: Batch) -> tuple[str, ...]:
    """What is to be stored."""
    return batch.names


def counted(batch: Batch, results: Sequence[int]) -> Batch:
    """How many are stored."""
    return evolve(batch, done=sum(results))


class Storing(Workflow[Batch], name="storing"):
    shelf: Shelf

    storing = State(initial=True)
    waiting = State()
    kept = State(final=True)
    gone = State(final=True, compensate=True)

    @step(storing, each=names, to=waiting, into=counted, retry=Retry(3))
    def store(self, batch: Batch, name: str, call: Call) -> int:
        self.shelf.put(call.key)
        return 1

    @store.undo
    def remove(self, batch: Batch, name: str, call: Call) -> None:
        self.shelf.held.pop(call.undoes, None)

    keep = on(Keep, source=waiting, to=kept)
    discard = on(Discard, source=waiting, to=gone)


class Storings(WorkflowMachine):
    """Sound."""

    careless = False

    def make(self) -> Storing:
        self.shelf = Shelf(self.careless)
        return Storing(self.shelf)

    def effects(self) -> object:
        return self.shelf.held


class CarelessStorings(Storings):
    """Not idempotent."""

    careless = True


class LeavingStorings(Storings):
    """What is undone stays."""

    def make(self) -> Storing:
        made = super().make()
        self.shelf.held = Sticky()
        return made


class Sticky(dict[str, int]):
    """Nothing is taken off it."""

    def pop(self, *_: object) -> int:
        """Nothing happens."""
        return 0


def test_the_sound_passes() -> None:
    """With deaths, lost outcomes and undos between."""
    run_state_machine_as_test(Storings, settings=BRIEF)


@pytest.mark.parametrize(
    ("machine", "said"), [(CarelessStorings, "is not idempotent"), (LeavingStorings, "its effects were not")]
)
def test_what_was_planted_is_found(machine: type[WorkflowMachine], said: str) -> None:
    """Each defect, by what it is."""
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=BRIEF)
    assert said in str(caught.value)


def test_it_is_checked_as_any_step() -> None:
    """Nothing is found in what is sound."""
    assert not check(Storing).findings


def test_a_host_may_give_the_results_in_the_input() -> None:
    """Then the journal of inputs has them, and folds without anything beside it."""
    host = Host(bind(Storing(Shelf())), Batch(), forgetful=True)
    host.succeed("store", [1, 1, 1])
    assert host.state == ("waiting",)
    assert host.snapshot.data.done == 3
    assert host.retold() == host.snapshot


def test_what_some_items_did_stays_to_be_undone_however_the_step_fails() -> None:
    """Also where the item that failed is known to have had no effect."""
    host = Host(bind(Storing(Shelf())), Batch())
    host.fail("store", final=True, effect=False)
    assert [done.step for done in host.snapshot.undo] == ["store"]
    host.unwind()
    assert host.ended() == "failed"
    assert host.snapshot.ending is not None
    assert host.snapshot.ending.failure == Failure("Trouble", "no")
