"""The command that serves a journal's web page: on this machine alone, and read-only, unless it is told otherwise."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import click

from statemachine.cli.frame import APP, FILE, changing, codec, looking

MISSING = "The web page needs starlette, jinja2 and uvicorn: pip install 'durable-statemachine[web]'"
PORT = 8642
OURS = ("localhost", "127.0.0.1", "[::1]")
"""What a browser on this machine calls it. Others are pages of strangers, whose name was made to point here."""


@click.command()
@FILE
@APP
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen. Beyond loopback needs a token.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option("--name", "names", multiple=True, help="A name under which browsers may ask for it. Repeatable.")
@click.option("--allow-actions", is_flag=True, help="Let people who have the token send events and give verbs.")
@click.option(
    "--token",
    envvar="STATEMACHINE_TOKEN",
    show_envvar=True,
    help="What people must give to act; 16 characters or more. One is made and printed where none is given.",
)
@click.option("--redact", multiple=True, metavar="PATTERN", help="Hide fields whose names match. Repeatable.")
def serve(
    file: Path,
    *,
    places: tuple[str, ...],
    host: str,
    port: int,
    names: tuple[str, ...],
    allow_actions: bool,
    token: str | None,
    redact: tuple[str, ...],
) -> None:
    """Serve the web page of FILE: runs, inbox, sagas, health. Read-only without --allow-actions.

    It works beside the process that moves the runs; with --app it also draws, and knows the forms of events. On
    another address than loopback the token is asked for before anything is shown; put TLS in front of it.
    """
    try:
        import uvicorn  # noqa: PLC0415 -- an extra, loaded where it is used

        from statemachine.dashboard.app import build  # noqa: PLC0415 -- the same
        from statemachine.dashboard.asking import Asking  # noqa: PLC0415 -- the same
        from statemachine.dashboard.session import new_token  # noqa: PLC0415 -- the same
    except ImportError as error:
        if error.name not in {"uvicorn", "starlette", "jinja2"}:
            raise
        raise click.ClickException(MISSING) from error
    closed = not _is_loopback(host)
    if closed and not token:
        message = (
            f"{host} can be reached from other machines, and whoever reaches it would see all data. Give a secret: "
            "--token, or better STATEMACHINE_TOKEN in the environment."
        )
        raise click.UsageError(message)
    if allow_actions and not token:
        token = new_token()
        click.echo(f"token: {token}")
    hosts = frozenset((*OURS, *(name.lower() for name in names))) if names or not closed else None
    key = codec()
    with looking(file, places) as client:
        asking = Asking(client, acting=lambda: changing(file, places, key))
        try:
            page = build(
                asking,
                actions=allow_actions,
                token=token,
                redact=redact,
                title=file.stem,
                closed=closed,
                hosts=hosts,
            )
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        with _listening(host, port) as listener:
            address = f"http://{_named(host)}:{listener.getsockname()[1]}/"
            click.echo(f"{address}  {file}, {_mood(actions=allow_actions, closed=closed)}")
            config = uvicorn.Config(
                page, log_level="warning", server_header=False, ws="none", timeout_graceful_shutdown=1
            )
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        message = f"cannot listen on {_named(host)}:{port}: {error.strerror}"
        raise click.ClickException(message) from error


def _named(host: str) -> str:
    return f"[{host.strip('[]')}]" if ":" in host else host


def _mood(*, actions: bool, closed: bool) -> str:
    return f"{'actions allowed' if actions else 'read-only'}{', for who has the token' if closed else ''}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
