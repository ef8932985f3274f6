"""Starts and events on the connections of SQLAlchemy and Django: one commit with the application's rows, or none."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from django import setup
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.utils import ConnectionHandler
from sqlalchemy import event, exc, orm

from persistence import SQLiteJournal, WrongConnection
from statemachine import AsyncRunner, NoSuchRun, Runner
from tests.unit.runner.desk import Confirm, Order, Shop, World, becomes, until


class Base(orm.DeclarativeBase):
    """The application's models."""


class Row(Base):
    """An order as the application knows it."""

    __tablename__ = "shop_order"
    id: orm.Mapped[str] = orm.mapped_column(primary_key=True)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """The application's database, with a table and no journal yet."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE shop_order (id TEXT PRIMARY KEY)")
    return path


@pytest.fixture(name="runner")
def _runner(path: Path) -> Iterator[Runner]:
    with closing(SQLiteJournal(path, adopt=True)) as journal, Runner(journal, [Shop(World())]) as runner:
        yield runner


@pytest.fixture(name="engine")
def _engine(path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda driver, _record: driver.execute("PRAGMA wal_autocheckpoint = 0"))
    yield engine
    engine.dispose()


@pytest.fixture(name="django")
def _django(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The connection that `django.db.connection` is in a project whose database this is."""
    if not settings.configured:
        settings.configure()
        setup()
    handler = ConnectionHandler(
        {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": path,
                "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA wal_autocheckpoint = 0"},
            }
        }
    )
    monkeypatch.setattr(transaction, "connections", handler)
    connection = handler["default"]
    yield connection
    connection.close()


def rows(path: Path) -> list[str]:
    """The application's orders."""
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT id FROM shop_order ORDER BY id")]


def none_is_there(runner: Runner, path: Path, run: str) -> None:
    """After a rollback: no row, no run, no message, and the id is free for something else."""
    assert rows(path) == []
    with pytest.raises(NoSuchRun):
        runner.get(run).look()
    assert runner.health().messages == 0
    until(runner.start(Shop, Order("another"), id=run), "waiting")


def test_a_session_commits_a_run_with_its_rows(runner: Runner, engine: sa.Engine, path: Path) -> None:
    """Nobody sees the run before; then it goes on by itself. An event is sent likewise."""
    with orm.Session(engine) as session, session.begin():
        session.add(Row(id="o-1"))
        session.flush()
        runner.start(Shop, Order("book"), id="o-1", connection=session.connection().connection.driver_connection)
        assert runner.list() == []
    becomes(lambda: len(runner.list()) == 1)
    until(runner.get("o-1"), "waiting")
    with engine.begin() as connection:
        connection.execute(sa.update(Row).values(id="o-1 confirmed"))
        runner.send("o-1", Confirm(), id="m-1", connection=connection.connection.driver_connection)
    assert runner.result("o-1", 10).state == ("sent",)
    assert rows(path) == ["o-1 confirmed"]


def test_a_session_that_has_written_nothing_yet_takes_a_run_along(runner: Runner, engine: sa.Engine) -> None:
    """SQLAlchemy's sqlite3 begins at the first INSERT, which is then the run's own."""
    with orm.Session(engine) as session:
        runner.start(Shop, Order("book"), id="o-1", connection=session.connection().connection.driver_connection)
        assert runner.health().messages == 0
        session.commit()
    becomes(lambda: len(runner.list()) == 1)


def test_a_session_that_rolls_back_leaves_no_run(runner: Runner, engine: sa.Engine, path: Path) -> None:
    """Neither does one that a constraint of its own has ended."""
    with orm.Session(engine) as session:
        session.add(Row(id="o-1"))
        session.flush()
        runner.start(Shop, Order("book"), id="o-1", connection=session.connection().connection.driver_connection)
        session.rollback()
    none_is_there(runner, path, "o-1")
    with orm.Session(engine) as session:
        runner.start(Shop, Order("book"), id="o-2", connection=session.connection().connection.driver_connection)
        session.add(Row(id="twice"))
        session.flush()
        with pytest.raises(exc.IntegrityError):
            session.execute(sa.insert(Row).values(id="twice"))
    none_is_there(runner, path, "o-2")


def test_a_session_itself_is_refused_with_what_to_give(runner: Runner, engine: sa.Engine) -> None:
    """And so is a connection of SQLAlchemy, and an engine that commits each statement."""
    with orm.Session(engine) as session:
        for wrapped in (session, session.connection()):
            with pytest.raises(WrongConnection, match="driver_connection"):
                runner.start(Shop, Order("book"), id="o-1", connection=wrapped)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        given = connection.connection.driver_connection
        with pytest.raises(WrongConnection, match="in no transaction"):
            runner.start(Shop, Order("book"), id="o-1", connection=given)
    assert runner.list() == []


def test_an_atomic_block_commits_a_run_with_its_rows(runner: Runner, django: Any, path: Path) -> None:
    """Given Django's connection, or the driver's underneath. An event is sent likewise."""
    with transaction.atomic():
        with django.cursor() as cursor:
            cursor.execute("INSERT INTO shop_order VALUES (%s)", ["o-1"])
        runner.start(Shop, Order("book"), id="o-1", connection=django)
        assert runner.list() == []
    becomes(lambda: len(runner.list()) == 1)
    until(runner.get("o-1"), "waiting")
    with transaction.atomic():
        runner.send("o-1", Confirm(), id="m-1", connection=django.connection)
    assert runner.result("o-1", 10).state == ("sent",)
    assert rows(path) == ["o-1"]


def fail(runner: Runner, django: Any, run: str) -> None:
    """Start a run in an atomic block, and let the block fail."""
    with transaction.atomic():
        runner.start(Shop, Order("book"), id=run, connection=django)
        raise LookupError(run)


def insert_twice(runner: Runner, django: Any, run: str) -> None:
    """Start a run in an atomic block which the database refuses."""
    with transaction.atomic(), django.cursor() as cursor:
        runner.start(Shop, Order("book"), id=run, connection=django)
        for _ in range(2):
            cursor.execute("INSERT INTO shop_order VALUES ('twice')")


def test_an_atomic_block_that_fails_leaves_no_run(runner: Runner, django: Any, path: Path) -> None:
    """Whether the application raises, or the database refuses."""
    with pytest.raises(LookupError):
        fail(runner, django, "o-1")
    none_is_there(runner, path, "o-1")
    with pytest.raises(IntegrityError):
        insert_twice(runner, django, "o-2")
    assert rows(path) == []
    with pytest.raises(NoSuchRun):
        runner.get("o-2").look()


def test_an_inner_block_that_fails_takes_its_own_run_back(runner: Runner, django: Any) -> None:
    """A savepoint is rolled back with the start that was made in it, and the outer block commits its own."""
    with transaction.atomic():
        runner.start(Shop, Order("book"), id="outer", connection=django)
        with pytest.raises(LookupError):
            fail(runner, django, "inner")
    until(runner.start(Shop, Order("later"), id="later"), "waiting")
    becomes(lambda: runner.health().messages == 0)
    assert sorted(run.id for run in runner.list()) == ["later", "outer"]


def test_outside_an_atomic_block_a_connection_is_refused(runner: Runner, django: Any) -> None:
    """Django commits each statement by itself there."""
    django.ensure_connection()
    for given in (django, django.connection):
        with pytest.raises(WrongConnection, match=r"transaction\.atomic"):
            runner.start(Shop, Order("book"), id="o-1", connection=given)
    assert runner.health().messages == 0


def test_on_the_async_face_nobody_runs_between_a_write_and_its_commit(path: Path, engine: sa.Engine) -> None:
    """Many requests on one loop: one that another's lock would keep from going on would keep that one, too."""

    async def order(runner: AsyncRunner, number: int) -> None:
        with orm.Session(engine) as session, session.begin():
            session.add(Row(id=f"o-{number}"))
            session.flush()
            driver = session.connection().connection.driver_connection
            await runner.start(Shop, Order("book"), id=f"o-{number}", connection=driver)
            await runner.send(f"o-{number}", Confirm(), id="m-1", connection=driver)

    async def serve() -> None:
        async with Runner(SQLiteJournal(path, adopt=True), [Shop(World())]) as runner:
            await asyncio.gather(*(order(runner, number) for number in range(20)))

    asyncio.run(serve())
    assert rows(path) == sorted(f"o-{number}" for number in range(20))
