"""The commands, together."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import click

from statemachine.cli.backing import backup, restore, uncertain
from statemachine.cli.definitions import check, diagram
from statemachine.cli.frame import Sentences
from statemachine.cli.holding import hold, release
from statemachine.cli.keeping import erase, export, prune, verify
from statemachine.cli.looking import runs, show, tail
from statemachine.cli.numbers import doctor, health, stats
from statemachine.cli.serving import serve
from statemachine.cli.steering import cancel, done, kill, pause, resume, retry, send, skip, start


def _version() -> str:
    try:
        return version("durable-statemachine")
    except PackageNotFoundError:
        return "of a source tree, not installed"


@click.group(cls=Sentences, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version=_version(), prog_name="statemachine")
@click.option(
    "--codec",
    envvar="STATEMACHINE_CODEC",
    metavar="MODULE:NAME",
    help="What seals the application's payloads: the SealedCodec it gives its runner, or a function that gives it.",
)
@click.pass_context
def commands(context: click.Context, codec: str | None) -> None:
    """Durable statecharts: see the runs of a journal, and steer them.

    FILE is the journal's database. Commands work while another process owns it. Where nobody does, those that change
    a run need the application's workflows (--app) and own the file for the moment.
    """
    context.obj = codec


for one in (
    runs,
    show,
    tail,
    start,
    send,
    retry,
    skip,
    done,
    cancel,
    kill,
    pause,
    resume,
    hold,
    release,
    check,
    diagram,
    verify,
    export,
    prune,
    erase,
    backup,
    restore,
    uncertain,
    stats,
    health,
    doctor,
    serve,
):
    commands.add_command(one)
