"""The owner's commits: changes in order on one connection, each all or nothing, all durable at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from persistence.errors import CommitUnknown, ConnectionGuarded, JournalError, Stale, fenced
from persistence.journal import Work
from persistence.records import Change, LiveGroup, Pruned, RunRecord
from persistence.sqlite import caching, erasing, sql
from persistence.sqlite.connection import begin
from persistence.sqlite.guard import Guard
from persistence.sqlite.guarded import GuardedConnection
from persistence.sqlite.rows import item_row, message_row, states_text, tags_text
from persistence.sqlite.trouble import FATAL, Translated, meaning

KNOWN = 4096
"""How many runs' row ids are kept in mind."""


class _Voided(Exception):
    """One change's failure ended the whole transaction. Internal: the changes are then committed one by one."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Writer:
    """Writes changes. Not thread-safe: its journal sees to it that one thread at a time is here."""

    def __init__(self, connection: sqlite3.Connection, name: str, patience: float) -> None:
        self.connection = connection
        self._name = name
        self._patience = patience
        self._guard = Guard(connection)
        self._cursor = connection.cursor()
        self._execute = self._cursor.execute
        self.erased = 0
        """How often something was blanked that the files may still have."""
        self._ids: dict[str, int] = {}
        """Run -> its row. Emptied when anything is rolled back or removed: such a row may then be another run's."""
        self._columns: dict[str, tuple[Any, ...]] = {}
        """Run -> what its row has in the columns that seldom change. Emptied likewise, and when runs are held."""

    # -------------------------------------------------------------------------------------------------- a transaction

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """See `Journal.commit`."""
        with Translated(self._name):
            try:
                return self._together(epoch, changes)
            except _Voided as voided:
                return [voided.error] if len(changes) == 1 else self._apart(epoch, changes)

    def _together(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        self._begin(epoch)
        try:
            # The transaction itself is the savepoint of a change that is alone.
            alone = len(changes) == 1
            failures = [self._perform(changes[0])] if alone else self._each(epoch, changes)
        except BaseException:
            self._roll_back()
            raise
        if alone and failures[0] is not None:
            self._roll_back()
        else:
            self._end()
        return failures

    def _each(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """Do each change, all or nothing.

        Savepoints are a fifth of what a change costs and a change seldom fails. So they are set only where an
        application works in the transaction, or when a first pass without them has met a failure: that is then the
        failing change's, all is rolled back, and the others are done again.
        """
        if not all(isinstance(change, Change) for change in changes):
            return [self._attempt(change) for change in changes]
        for number, change in enumerate(changes):  # noqa: B007 -- it says later which one failed
            failure = self._perform(change)
            if failure is not None:
                break
        else:
            return [None] * len(changes)
        self._roll_back()
        self._begin(epoch)
        return [failure if other == number else self._attempt(change) for other, change in enumerate(changes)]

    def _apart(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """Give each change a transaction of its own, so that the one which voids its own harms no other."""
        failures: list[Exception | None] = []
        for change in changes:
            try:
                failures += self.commit(epoch, [change])
            except JournalError as error:
                if not failures:
                    raise
                msg = f"Journal {self._name!r}: {len(failures)} of {len(changes)} changes were decided, then: {error}"
                raise CommitUnknown(msg) from error
        return failures

    def hold(self, epoch: int, group: LiveGroup, reason: str) -> None:
        """See `Journal.hold`."""
        with Translated(self._name):
            self._begin(epoch)
            try:
                self._columns.clear()
                place = (group.workflow, group.definition, states_text(group.states))
                if reason and not group.states:
                    self._execute(sql.HOLD_UNREADABLE, (reason, *place[:2]))
                elif reason:
                    self._execute(sql.HOLD, (reason, *place))
                else:
                    self._execute(sql.RELEASE, place)
            except BaseException:
                self._roll_back()
                raise
            self._end()

    def prune(self, epoch: int, before: int, remember: int, *, dry: bool) -> Pruned:
        """See `Journal.prune`."""
        with Translated(self._name):
            self._begin(epoch)
            try:
                counted = [self._execute(statement, (before,)).fetchone()[0] for statement in sql.PRUNED]
                if not dry:
                    self._forget()
                    self._execute(sql.REMEMBER, (remember, before))
                    for statement in sql.PRUNE:
                        self._execute(statement, (before,))
            except BaseException:
                self._roll_back()
                raise
            self._end()
            runs, entries, messages, remembered, forgotten, cached, items = counted
            return Pruned(
                runs=runs,
                entries=entries,
                messages=messages,
                remembered=remembered,
                forgotten=forgotten,
                cached=cached,
                items=items,
            )

    def _begin(self, epoch: int) -> None:
        if self.connection.in_transaction:  # what could not be rolled back when it failed
            self._roll_back()
        begin(self.connection, self._patience)
        now, owner = self._execute(sql.EPOCH).fetchone()
        if now != epoch:
            self._roll_back()
            raise fenced(self._name, epoch, now, owner)

    def _roll_back(self) -> None:
        self._forget()
        # FULL, IOERR and NOMEM may have rolled back already (https://www.sqlite.org/lang_transaction.html).
        if self.connection.in_transaction:
            self._execute("ROLLBACK")

    def _end(self) -> None:
        try:
            self._execute("COMMIT")
        except sqlite3.Error as error:
            refused = self.connection.in_transaction
            self._roll_back()
            if refused:
                # Still inside: SQLite declined before it wrote (locked, or a deferred constraint of the application's).
                raise (meaning(error, self._name) or _Voided(error)) from error
            self._settle()
            msg = (
                f"Journal {self._name!r}: the commit failed ({error}), and whether it happened is unknown. "
                "Discard what is in memory, and read the runs' seq to learn it."
            )
            raise CommitUnknown(msg) from error

    def settle(self) -> None:
        """A commit that changes nothing else. Raises sqlite3.Error."""
        begin(self.connection, self._patience)
        self._execute(sql.SETTLE)
        self._execute("COMMIT")

    def _settle(self) -> None:
        """Make that what is read from now on is true for good; if that fails too, the next commit does it."""
        with suppress(sqlite3.Error):
            self._execute("BEGIN IMMEDIATE")
            self._execute(sql.SETTLE)
            self._execute("COMMIT")
        with suppress(sqlite3.Error):
            self._roll_back()

    # ------------------------------------------------------------------------------------------------------- a change

    def _attempt(self, change: Change | Work) -> Exception | None:
        self._execute("SAVEPOINT statemachine_change")
        failure = self._perform(change)
        if failure is not None:
            self._forget()
            self._execute("ROLLBACK TO statemachine_change")
        self._execute("RELEASE statemachine_change")
        return failure

    def _perform(self, change: Change | Work) -> Exception | None:
        """Do one change in the open transaction. What it failed with, when that concerns nothing but this change."""
        if not isinstance(change, Change):
            done = self._work(change)
            if isinstance(done, Exception):
                return done
            change = done
        try:
            self._apply(change)
        except sqlite3.IntegrityError as error:
            run = change.run.run if change.run else "of the entries"
            return Stale(f"Run {run!r} has what the change was to add, or is not there at all ({error}).")
        except Exception as error:
            known = meaning(error, self._name)
            if isinstance(known, FATAL):
                raise known from error
            if not self.connection.in_transaction:
                raise _Voided(error) from error
            return error
        return None

    def _work(self, work: Work) -> Change | Exception:
        """Let the application work in the transaction.

        What it raises may come from anywhere, another database included; trouble of ours is only what its connection
        met.
        """
        guarded = GuardedConnection(self.connection, self._guard, self._name)
        self._guard.on_duty = True
        try:
            done: Change | Exception = work(guarded)
        except Exception as error:  # noqa: BLE001 - whatever it raises is what its change failed with
            done = error
        finally:
            self._guard.on_duty = False
            guarded.end()
        if guarded.trouble is not None:
            raise guarded.trouble
        if not self.connection.in_transaction:
            msg = "A transactional step's statement rolled everything back (OR ROLLBACK, RAISE(ROLLBACK))."
            raise _Voided(done if isinstance(done, Exception) else ConnectionGuarded(msg))
        return done

    def _write_run(self, run: RunRecord, expected: int) -> None:
        states = states_text(run.states)
        columns = (
            run.version,
            run.definition,
            run.status,
            states,
            run.seq,
            run.over,
            run.busy,
            run.due,
            run.incidents,
            run.paused,
            run.held,
            run.updated,
            run.snapshot,
        )
        if expected < 0:
            self._insert_run(run, columns)
            return
        seldom = (run.workflow, run.status, run.over, run.busy, run.due, run.incidents, run.paused, run.held)
        written = (run.version, run.definition, states, run.seq, run.updated, run.snapshot)
        row = self._id(run.run)
        if self._columns.get(run.run) == seldom and self._changes(sql.UPDATE_RUN_KNOWN, (*written, row, expected)):
            return
        place = (row, run.run, expected)
        self._columns[run.run] = seldom
        if self._changes(sql.UPDATE_RUN, (*written, *place, *seldom)):
            return
        whole = (*columns, *place, run.workflow)
        if self._changes(sql.UPDATE_RUN_WHOLE, whole):
            return
        if self._changes(sql.RENAME_WORKFLOW, (run.workflow, *place)):
            self._execute(sql.UPDATE_RUN_WHOLE, whole)
            return
        raise Stale(self._stale(run, expected))

    def _insert_run(self, run: RunRecord, columns: tuple[Any, ...]) -> None:
        columns = (*columns, run.run, run.workflow, run.started, run.input, tags_text(run.tags))
        if not self._changes(sql.INSERT_RUN, columns):
            raise Stale(self._stale(run, -1))
        row = self._know(run.run, self._cursor.lastrowid)
        for name, value in run.tags.items():
            self._execute(sql.INSERT_TAG, (name, value, run.started, row))

    def _id(self, run: str) -> int | None:
        """The row of a run; None when it has none."""
        known = self._ids.get(run)
        if known is not None:
            return known
        row = self._execute(sql.RUN_ID, (run,)).fetchone()
        return None if row is None else self._know(run, row[0])

    def _forget(self) -> None:
        self._ids.clear()
        self._columns.clear()

    def _know(self, run: str, row: int | None) -> int | None:
        if row is not None:
            if len(self._ids) >= KNOWN:
                self._forget()
            self._ids[run] = row
        return row

    def _stale(self, run: RunRecord, expected: int) -> str:
        row = self._execute(sql.RUN_SEQ, (run.run,)).fetchone()
        at = "does not exist" if row is None else f"is at {row[0]}"
        wanted = "the change was to start it" if expected < 0 else f"the change was made for {expected}"
        return f"Run {run.run!r} {at}; {wanted}."

    def _changes(self, statement: str, parameters: tuple[Any, ...]) -> bool:
        self._execute(statement, parameters)
        return self._cursor.rowcount == 1

    def _apply(self, change: Change) -> None:
        execute = self._execute
        run = change.run
        if run is not None:
            self._write_run(run, change.expected)
            if change.erased:
                erasing.blank(self._cursor, run.run)
                self.erased += 1
        for entry in change.entries:
            execute(
                sql.INSERT_ENTRY,
                (
                    self._id(entry.run),
                    entry.seq,
                    entry.at,
                    entry.kind,
                    entry.name,
                    entry.event_id,
                    entry.actor,
                    entry.reason,
                    entry.definition,
                    states_text(entry.states),
                    entry.body,
                ),
            )
        for seen in change.seen:
            execute(sql.INSERT_SEEN, (self._id(seen.run), seen.id, seen.seq, seen.verdict, seen.digest))
        for answer in change.answers:
            execute(sql.ANSWER, (answer.verdict, answer.answer, answer.number))
        for message in change.messages:
            execute(sql.INSERT_MESSAGE, message_row(message))
        self._apply_aside(change)

    def _apply_aside(self, change: Change) -> None:
        """What stands beside the runs: their attempts, what is held back, what is kept for others, what is saved."""
        execute = self._execute
        for attempt in change.begun:
            execute(sql.BEGIN_ATTEMPT, (attempt.run, attempt.visit, attempt.step, attempt.epoch, attempt.crashes))
        for ended in change.ended:
            execute(sql.END_ATTEMPT, ended)
        for cached in change.cached:
            caching.keep(self._cursor, cached)
        for hold in change.holds:
            execute(sql.HOLD_WORK, (hold.workflow, hold.step, hold.reason, hold.actor, hold.at))
        for released in change.released:
            execute(sql.RELEASE_WORK, released)
        for saved in change.saved:
            execute(sql.SAVE, (saved.run, saved.visit, saved.at, saved.value))
        for dropped in change.dropped:
            execute(sql.DROP_SAVED, dropped)
        self._note_items(change)

    def _note_items(self, change: Change) -> None:
        execute = self._execute
        for fan in change.fans:
            execute(sql.PUT_FAN, (self._id(fan.run), fan.visit, fan.step, fan.total, fan.most))
        for given in change.given:
            execute(sql.INSERT_GIVEN, (self._id(given.run), given.visit, given.first, given.items))
        for item in change.items:
            execute(sql.PUT_ITEM, item_row(self._id(item.run), item))
        for notice in change.notices:
            execute(sql.INSERT_NOTICE, (notice.run, notice.kind, notice.at, notice.body))
        for number in change.delivered:
            execute(sql.DELIVERED, (number,))
        if change.wanted is not None:
            execute(sql.UNWANT)
            for kind in change.wanted:
                execute(sql.WANT, (kind,))
