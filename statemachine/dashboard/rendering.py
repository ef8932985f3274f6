"""How pages are rendered: the templates, and what they call to say times, sizes and values."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import msgspec

from statemachine.dashboard.redaction import HIDDEN, is_fields, is_listed
from statemachine.dashboard.session import nonce
from statemachine.dashboard.timeline import span

HERE = Path(__file__).parent


def environment() -> jinja2.Environment:
    """The templates, with what they may say."""
    made: Any = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,  # everything: data comes from outside
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        moment=moment, ago=ago, span=span, size=size, pretty=pretty, tick=tick, segment=segment, number=number
    )
    made.globals.update(now=now, nonce=nonce, HIDDEN=HIDDEN)
    made.tests["fields"] = is_fields
    made.tests["listed"] = is_listed
    found: jinja2.Environment = made
    return found


def now() -> datetime:
    """A visitor's time."""
    return datetime.now(UTC)  # noqa: TID251 -- a person's clock: no run is moved by it


def moment(at: datetime | None) -> str:
    """A UTC time, to the second."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def tick(at: datetime, short: bool) -> str:
    """A UTC time under a timeline; with thousandths where it is short."""
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}" if short else f"{at:%d %b %H:%M:%S}"


def ago(at: datetime) -> str:
    """How long ago that is, or how soon it will be."""
    seconds = (now() - at).total_seconds()
    if seconds < 0:
        return f"in {span(-seconds)}"
    return "just now" if seconds < 1 else f"{span(seconds)} ago"


def size(count: int) -> str:
    """Bytes, in MiB."""
    return f"{count / 1024 / 1024:.1f} MiB"


def number(value: float) -> str:
    """With thousands apart."""
    return f"{value:,}"


def pretty(value: Any) -> str:
    """JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def segment(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="")
