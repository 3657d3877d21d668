"""
The database behind the jobs: SQLite by default, PostgreSQL by URL.

Every change to the queue is one transaction under one lock (SQLite's own, an advisory one in
PostgreSQL), so that limits are exact and turns are fair. SQLite runs in WAL mode with
`synchronous=FULL`: what was committed is on the disk when the call returns, and readers never wait.
WAL needs shared memory, so a SQLite file serves the processes of one machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import Problem, missing_package
from nodetool_core.jobs.addresses import shown
from nodetool_core.jobs.job import JobsError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 30.0
"""How long to wait for another process that writes to the same SQLite file."""

CONNECT_SECONDS = 10
"""
How long to wait for a PostgreSQL server that does not say a word, unless its URL says so itself.
"""

_ADVISORY_LOCK = 0x6E6F6465746F6F6C
"""The key of the lock in PostgreSQL: `nodetool` in ASCII."""

Clock = Callable[[], float]


class Database:
    """
    Transactions and the time.

    Safe to use from several threads. Every method may raise JobsError(`database_failed`).
    """

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        """
        Open the database.

        Args:
            url: `sqlite:////var/lib/nodetool/jobs.sqlite`, `postgresql+psycopg://user@host/name`,
                or the path of a SQLite file.
            clock: What the time is; the machine's for SQLite, the server's for PostgreSQL, unless
                given.

        Raises JobsError where the database can't be opened or is newer than this program.
        """
        self.url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._engine, self.is_sqlite = _connect(url)
        try:
            with self.write() as connection:
                _set_up(connection)
        except JobsError:
            self.close()
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """
        Open a transaction that changes the queue, one at a time among all processes.

        Durable when the block ends.
        """
        # In this process the lock is passed on at once; SQLite's own is only asked for now and
        # then.
        with (
            self._lock if self.is_sqlite else _no_lock(),
            self._transaction("IMMEDIATE") as connection,
        ):
            if not self.is_sqlite:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads; it never waits for writers."""
        with self._transaction("DEFERRED") as connection:
            yield connection

    def now(self, connection: Connection) -> float:
        """Return Unix time in seconds, the same clock for all who share the database."""
        if self._clock is not None:
            return self._clock()
        if self.is_sqlite:
            return time.time()
        return float(
            connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one()
        )

    def check(self) -> None:
        """Read a row, which a database that is away does not give."""
        from sqlalchemy import select

        from nodetool_core.jobs import schema

        with self.read() as connection:
            connection.execute(select(schema.version.c.version)).scalar_one()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[Connection]:
        from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

        try:
            with (
                self._engine.connect().execution_options(nodetool_begin=kind) as connection,
                connection.begin(),
            ):
                yield connection
        except (DataError, IntegrityError):
            # A fault of ours: waiting would not help.
            raise
        except DBAPIError as error:
            raise _failed(self.url, error) from error


@contextmanager
def _no_lock() -> Iterator[None]:
    yield


def _connect(url: str) -> tuple[Engine, bool]:
    try:
        from sqlalchemy import create_engine, event, make_url
        from sqlalchemy.exc import ArgumentError
    except ModuleNotFoundError as error:
        raise JobsError(missing_package(shown(url), error, "serve")) from None
    try:
        parsed = make_url(url if "://" in url else f"sqlite:///{url}")
        if parsed.get_backend_name() == "postgresql" and parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database:
                raise JobsError(
                    Problem(
                        "database_failed",
                        shown(url),
                        "names no file.",
                        "Give a path: sqlite:///jobs.sqlite",
                    )
                )
            Path(parsed.database).absolute().parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(
                parsed,
                connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
                pool_size=8,
                max_overflow=-1,
            )
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine, True
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.update_query_dict(
                {"connect_timeout": str(CONNECT_SECONDS)} | dict(parsed.query)
            )
        return create_engine(parsed, pool_pre_ping=True, pool_size=8, max_overflow=-1), False
    except ModuleNotFoundError as error:
        problem = missing_package(shown(url), error, "postgres")
        raise JobsError(
            problem
            if error.name == "psycopg"
            else replace(problem, hint="Use sqlite or postgresql.")
        ) from None
    except (ArgumentError, OSError, ValueError) as error:
        hint = (
            "It looks like sqlite:////var/lib/nodetool/jobs.sqlite or postgresql://user@host/name."
        )
        raise JobsError(
            Problem(
                "database_failed", shown(url), f"is no database that can be used: {error}.", hint
            )
        ) from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # No transactions that the driver begins by itself: ours say when they begin and how.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    connection.exec_driver_sql(
        f"BEGIN {connection.get_execution_options().get('nodetool_begin', 'DEFERRED')}"
    )


def _set_up(connection: Connection) -> None:
    """Make the tables, or check that they are ours."""
    from sqlalchemy import insert, inspect, select

    from nodetool_core.jobs import schema

    if not inspect(connection).has_table(schema.version.name):
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.version).values(version=schema.VERSION))
    found = connection.execute(select(schema.version.c.version)).scalar_one()
    if found != schema.VERSION:
        message = f"has schema {found}; this program knows {schema.VERSION}."
        raise JobsError(
            Problem(
                "newer_schema",
                "database",
                message,
                "Install the version of nodetool that made it, or a newer one.",
            )
        )
    # Tables that came later, of which programs of the same schema know nothing, are added.
    if not inspect(connection).has_table(schema.file_names.name):
        schema.file_names.create(connection)


def _failed(url: str, error: Exception) -> JobsError:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return JobsError(
        Problem(
            "database_failed",
            shown(url),
            f"does not answer as it should: {reason}.",
            "Is it there and writable?",
        )
    )
