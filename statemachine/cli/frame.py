"""What all commands share: their options, the journal they open, and errors as one sentence."""

from __future__ import annotations

import getpass
import importlib
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from persistence import JournalError, SealedCodec
from statemachine.definition import Definition
from statemachine.errors import DefinitionError, StateMachineError
from statemachine.runner import Client, Runner
from statemachine.workflow import Workflow

F = TypeVar("F", bound=Callable[..., Any])
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Sentences(click.Group):
    """A group whose commands end in a sentence, and not in a traceback, when something is wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (StateMachineError, JournalError, TimeoutError) as error:
            raise click.ClickException(str(error) or type(error).__name__) from error
        except BrokenPipeError:
            sys.exit(0)


# Options.

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
APP = click.option(
    "--app",
    "places",
    multiple=True,
    envvar="STATEMACHINE_APP",
    metavar="MODULE:NAME",
    help="The application's workflows: a class, an object, a list of them, or a function that gives one. Repeatable.",
)


def who(function: F) -> F:
    """The options that say who does something and why."""
    function = click.option("--reason", help="Why; it stays in the journal.")(function)
    return click.option("--actor", default=getpass.getuser, show_default="your user name", help="Who does it.")(
        function
    )


def span(value: str | timedelta) -> timedelta:
    """A span of time: 90s, 15m, 12h, 7d, 4w."""
    if isinstance(value, timedelta):
        return value
    number, unit = value[:-1], value[-1:]
    if unit not in UNITS or not number.replace(".", "", 1).isdigit():
        message = f"{value!r} is no span of time; say 90s, 15m, 12h, 7d or 4w"
        raise click.BadParameter(message)
    return timedelta(seconds=float(number) * UNITS[unit])


def ago(age: timedelta) -> datetime:
    """The UTC time that long ago."""
    return datetime.now(UTC) - age  # noqa: TID251 -- a person's clock: no run is moved by it


# Workflows.


def workflows(places: Iterable[str]) -> list[Definition]:
    """The definitions that `--app` names, ready to be moved but not to be performed.

    Raises:
        click.UsageError: There is nothing of that name, or it is no workflow.
    """
    found: list[Definition] = []
    for place in places:
        found.extend(_definitions(place, named(place)))
    return found


def named(place: str) -> object:
    """What a `module:name` names."""
    module, _, name = place.partition(":")
    if not module or not name:
        message = f"{place}: say module:name, as in examples.loan_desk:LoanDesk"
        raise click.UsageError(message)
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return reduce(getattr, name.split("."), importlib.import_module(module))
    except (ModuleNotFoundError, AttributeError) as error:
        message = f"{place}: {error}; name a module as one imports it from here, and what is in it"
        raise click.UsageError(message) from error
    except DefinitionError as error:
        raise click.UsageError(str(error)) from error


def _definitions(place: str, found: object) -> list[Definition]:
    if isinstance(found, Definition):
        return [found]
    kind: Any = found if isinstance(found, type) else found.__class__
    if issubclass(kind, Workflow) and "compiled" in dir(kind):  # pyright: ignore[reportUnknownArgumentType]
        return [_unperformed(kind)]  # pyright: ignore[reportUnknownArgumentType] -- over data of whatever type
    if isinstance(found, list | tuple):
        items = cast("list[object]", found)
        return [one for item in items for one in _definitions(place, item)]
    if callable(found) and not isinstance(found, type):
        return _definitions(place, found())
    message = f"{place} is no workflow; name a class derived from Workflow that has states, or a list of such"
    raise click.UsageError(message)


def _unperformed(kind: type[Workflow[Any]]) -> Definition:
    """Its guards and handlers are pure, so they need no collaborators; its steps are not begun."""
    blank: Workflow[Any] = object.__new__(kind)
    return kind.compiled.bind(blank)


# Journals.


def codec() -> SealedCodec | None:
    """What `--codec` names.

    Raises:
        click.UsageError: There is nothing of that name, or it is no SealedCodec.
    """
    context = click.get_current_context(silent=True)
    place: str | None = context.find_root().obj if context else None
    if not place:
        return None
    found = named(place)
    found = found() if callable(found) else found
    if isinstance(found, SealedCodec):
        return found
    message = f"{place} is no SealedCodec; name what the application gives Runner(codec=...), or what makes it"
    raise click.UsageError(message)


@contextmanager
def looking(file: Path, places: Iterable[str] = ()) -> Generator[Client]:
    """A client of the journal."""
    with Client(file, workflows(places), codec=codec()) as client:
        yield client


@contextmanager
def changing(file: Path, places: Iterable[str], key: SealedCodec | None = None) -> Generator[Runner]:
    """A client of whoever owns the journal; where nobody does, its owner for the moment, which begins no step.

    `key` is what opens it, where this is called after its command has returned.

    Raises:
        click.ClickException: Nobody owns it, and no workflows were named.
    """
    known = workflows(places)
    key = key or codec()
    with Client(file, known, codec=key) as client:
        if client.health().owner is not None:
            yield client
            return
    if not known:
        message = (
            f"Nobody moves the runs of {file} now. Start the application, or name its workflows with --app "
            "MODULE:NAME (or in STATEMACHINE_APP); this command then does it itself."
        )
        raise click.ClickException(message)
    with Runner(file, known, perform=False, codec=key) as owner:
        yield owner
