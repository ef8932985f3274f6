"""Commands that change runs: start, send, and an operator's verbs, for one run or for all that match."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import msgspec

from statemachine.cli.frame import APP, FILE, JSON, changing, looking, who
from statemachine.cli.looking import asked, every, filters
from statemachine.cli.tables import progress, say_json, table
from statemachine.errors import Refused, RefusedVerb
from statemachine.runner import Client, Plain, Receipt, Run, Runner
from statemachine.snapshot import Incident

WAIT = click.option("--wait", default=30.0, show_default=True, help="Seconds to wait for the owner's answer.")


def fields(_context: click.Context, _option: click.Parameter, value: str) -> Any:
    """JSON, as an argument gives it."""
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        message = f"this is no JSON: {error}"
        raise click.BadParameter(message) from error


@click.command()
@FILE
@click.argument("workflow")
@click.argument("data", callback=fields)
@click.option("--id", "run", required=True, help="The run's id; the same id with the same data is the same run.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="For finding it again. Repeatable.")
@click.option("--priority", default=0, help="Where its steps wait for their turn, a higher one goes first.")
@WAIT
@click.option("--actor", default=getpass.getuser, show_default="your user name", help="Who does it.")
@APP
@JSON
def start(
    file: Path,
    *,
    workflow: str,
    data: Any,
    run: str,
    tags: tuple[str, ...],
    priority: int,
    wait: float,
    actor: str,
    places: tuple[str, ...],
    as_json: bool,
) -> None:
    """Start a run of WORKFLOW, by its name, with DATA as JSON."""
    with changing(file, places) as runner:
        named = asked(tags=tags)["tags"]
        receipt = runner.start_plain(workflow, Plain(data), id=run, tags=named, priority=priority, actor=actor)
        _answered(runner, receipt, wait, f"Run {run}", as_json=as_json)


@click.command()
@FILE
@click.argument("run")
@click.argument("event")
@click.argument("fields", default="{}", callback=fields)
@click.option("--id", "name", help="By which a resend is known: the same id again changes nothing.")
@WAIT
@who
@APP
@JSON
def send(
    file: Path,
    *,
    run: str,
    event: str,
    fields: Any,
    name: str | None,
    wait: float,
    actor: str,
    reason: str | None,
    places: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send EVENT, by its name, to RUN; FIELDS is JSON: send app.db loan-42 Approve '{"by": "grace"}'."""
    with changing(file, places) as runner:
        receipt = runner.send(run, Plain(fields, event), id=name, actor=actor, reason=reason)
        _answered(runner, receipt, wait, event, as_json=as_json)


def _answered(runner: Runner, receipt: Receipt, wait: float, what: str, *, as_json: bool) -> None:
    try:
        answer = runner.verdict(receipt, timeout=wait)
    except TimeoutError as error:
        message = f"{what} was put durably and not answered in {wait:g} s; it stays queued until the owner takes it."
        raise click.ClickException(message) from error
    if as_json:
        say_json(answer)
    else:
        click.echo(f"{what}: {answer.verdict}")


# Verbs.

Act = Callable[[str, str | None], None]
"""Does what was found: `(actor, reason)`."""
Find = Callable[[Run[Any]], list[tuple[str, Act]]]
"""What there is to do in a run, each with what it is about."""


def chosen(function: Any) -> Any:
    """The options of a verb: one RUN, or filters, a rate, and a rehearsal."""
    for option in (
        JSON,
        click.option("--yes", is_flag=True, help="Do not ask before changing many runs."),
        click.option("--dry-run", "dry", is_flag=True, help="Only say which runs it would change."),
        click.option("--rate", default="", metavar="N/s", help="At most so many a second, as in 5/s."),
        filters,
        APP,
        who,
        click.argument("run", required=False),
        FILE,
    ):
        function = option(function)
    return function


def incidents(function: Any) -> Any:
    """The options that say which incidents of the runs."""
    for option in (
        click.option("--error", help="Whose error is of this type, as in BureauDown."),
        click.option("--step", help="Of this step."),
        click.option("--number", type=int, help="The incident of this number; needed where a run has several."),
    ):
        function = option(function)
    return function


@click.command()
@chosen
@incidents
def retry(**options: Any) -> None:
    """Decide incidents: try again, under the same key."""
    _decide("retry", lambda run, number, actor, reason: run.retry(number, actor=actor, reason=reason), options)


@click.command()
@chosen
@incidents
def skip(**options: Any) -> None:
    """Decide incidents: it had no effect (a step), or it stays not undone (an undo). Needs --reason."""
    _reasoned(options)
    _decide("skip", lambda run, number, actor, reason: run.skip(number, actor=actor, reason=reason or ""), options)


@click.command()
@chosen
@incidents
def done(**options: Any) -> None:
    """Decide incidents: it took effect (a step), or was undone by hand (an undo). Needs --reason."""
    _reasoned(options)
    _decide("done", lambda run, number, actor, reason: run.done(number, actor=actor, reason=reason or ""), options)


@click.command()
@chosen
def cancel(**options: Any) -> None:
    """Undo what a run did, then end it."""
    _steer("cancel", lambda run, actor, reason: run.cancel(actor=actor, reason=reason), options)


@click.command()
@chosen
def kill(**options: Any) -> None:
    """End a run now and undo nothing. Needs --reason."""
    _reasoned(options)
    _steer("kill", lambda run, actor, reason: run.kill(actor=actor, reason=reason), options)


@click.command()
@chosen
def pause(**options: Any) -> None:
    """Start nothing new in a run; its events wait."""
    _steer("pause", lambda run, actor, reason: run.pause(actor=actor, reason=reason), options)


@click.command()
@chosen
def resume(**options: Any) -> None:
    """Go on with a run that was paused."""
    _steer("resume", lambda run, actor, reason: run.resume(actor=actor, reason=reason), options)


def _reasoned(options: dict[str, Any]) -> None:
    if not options["reason"]:
        message = "say why: --reason"
        raise click.UsageError(message)


def _decide(verb: str, act: Callable[[Run[Any], int, str, str | None], None], options: dict[str, Any]) -> None:
    number, step, error = options.pop("number"), options.pop("step"), options.pop("error")
    orders = Orders.of(verb, options, narrowed=step is not None or error is not None)
    if orders.run is None:
        orders.conditions["incident"] = True

    def find(run: Run[Any]) -> list[tuple[str, Act]]:
        found = [one for one in run.look(plain=True).incidents if _meant(one, number, step, error)]
        if len(found) > 1 and orders.run is not None and number is None:
            numbers = ", ".join(f"{one.number} ({one.kind})" for one in found)
            message = f"{run.id} has the incidents {numbers}; say which: --number"
            raise click.UsageError(message)
        return [(f"incident {one.number}: {one.message}", _on(act, run, one.number)) for one in found]

    _each(orders, find)


def _on(act: Callable[[Run[Any], int, str, str | None], None], run: Run[Any], number: int) -> Act:
    return lambda actor, reason: act(run, number, actor, reason)


def _meant(incident: Incident, number: int | None, step: str | None, error: str | None) -> bool:
    return (
        number in {None, incident.number}
        and step in {None, incident.step}
        and error in {None, incident.failure.type if incident.failure else ""}
    )


def _steer(verb: str, act: Callable[[Run[Any], str, str | None], object], options: dict[str, Any]) -> None:
    def find(run: Run[Any]) -> list[tuple[str, Act]]:
        view = run.look(plain=True)

        def do(actor: str, reason: str | None) -> None:
            act(run, actor, reason)

        return [(f"{view.status} in {', '.join(view.state)}", do)]

    _each(Orders.of(verb, options), find)


@attrs.frozen
class Orders:
    """What the options of a verb say: which runs of which journal, by whom and why, and how."""

    verb: str
    file: Path
    places: tuple[str, ...]
    run: str | None
    conditions: dict[str, Any]
    actor: str
    reason: str | None
    dry: bool
    yes: bool
    as_json: bool
    between: float
    """Seconds from one run to the next."""

    @classmethod
    def of(cls, verb: str, options: dict[str, Any], *, narrowed: bool = False) -> Orders:
        """Read them. `narrowed`: something else than a filter says already which are meant."""
        given = {
            name: options.pop(name) for name in ("file", "places", "run", "actor", "reason", "dry", "yes", "as_json")
        }
        between = _seconds_between(options.pop("rate"))
        conditions = asked(**options)
        if not narrowed and given["run"] is None and not any(value not in (None, {}) for value in conditions.values()):
            message = f"say which run to {verb}, or which runs by --workflow, --state, --status, …"
            raise click.UsageError(message)
        return cls(verb, conditions=conditions, between=between, **given)


def _each(orders: Orders, find: Find) -> None:
    """Find what is meant, rehearse or do it, and say what became of each."""
    with (looking if orders.dry else changing)(orders.file, orders.places) as runner:
        meant = list(_meant_by(runner, orders, find))
        if not meant:
            message = f"There is nothing to {orders.verb}."
            raise click.ClickException(message)
        if orders.dry:
            _report(orders, [(run, what, "would be done") for run, what, _ in meant])
            return
        if orders.run is None and not orders.yes:
            click.confirm(f"{orders.verb} {len(meant)} time(s)?", abort=True, err=True)
        results = list(_do(orders, meant))
    _report(orders, results)
    if any(result != "done" for _, _, result in results):
        raise SystemExit(1)


def _seconds_between(rate: str) -> float:
    if not rate:
        return 0.0
    number = rate.removesuffix("/s")
    if number == rate or not number.replace(".", "", 1).isdigit() or not float(number):
        message = f"{rate!r} is no rate; say 5/s"
        raise click.UsageError(message)
    return 1 / float(number)


def _meant_by(runner: Runner | Client, orders: Orders, find: Find) -> Iterator[tuple[str, str, Act]]:
    ids = [orders.run] if orders.run is not None else [one.id for one in every(runner, orders.conditions)]
    for run in ids:
        for what, do in find(runner.get(run)):
            yield run, what, do


def _do(orders: Orders, meant: list[tuple[str, str, Act]]) -> Iterator[tuple[str, str, str]]:
    with progress(orders.verb, len(meant)) as bar:
        for place, (run, what, do) in enumerate(meant):
            if place:
                time.sleep(orders.between)  # noqa: TID251 -- the rate a person asked for
            try:
                do(orders.actor, orders.reason)
            except (Refused, RefusedVerb) as error:
                yield run, what, str(error)
            else:
                yield run, what, "done"
            bar.advance(bar.task_ids[0])


def _report(orders: Orders, results: list[tuple[str, str, str]]) -> None:
    if orders.as_json:
        say_json([{"run": run, "what": what, "result": result} for run, what, result in results])
    else:
        table(f"{orders.verb}: {len(results)}", ("run", "what", "result"), results)
