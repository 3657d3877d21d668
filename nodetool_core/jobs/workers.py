"""
The processes that run jobs: who lives, and which models each holds.

A worker reports now and then that it is there. One on the same machine whose process is gone is
known to be dead at once, one elsewhere when its leases are over.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from nodetool_core.jobs import schema
from nodetool_core.jobs.records import to_text

if TYPE_CHECKING:
    from nodetool_core.jobs.database import Database

workers = schema.workers.c

WAITING = "waiting-"
"""How the ids of processes begin that run no jobs, and wait for some."""

SILENT_LEASES = 3
"""Leases of silence after which a worker is forgotten."""


class Workers:
    """This process as a worker, and what it knows of the others."""

    def __init__(
        self,
        database: Database,
        *,
        lease: float,
        models: Callable[[], Sequence[str]] = lambda: (),
        only_waits: bool = False,
    ) -> None:
        """
        Know this process as a worker.

        Args:
            lease: Seconds between two signs of life, thrice.
            models: The models that this process holds now.
            only_waits: It runs no jobs, and waits for some.
        """
        role = WAITING if only_waits else ""
        self.id = f"{role}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._database = database
        self._lease = lease
        self._models = models
        self._machine = _machine()
        self._process = _process(os.getpid())
        self._lock = threading.Lock()
        self._said: tuple[float, str] | None = None

    def announce(self) -> None:
        """Report that this worker lives and what it holds, unless that was a moment ago."""
        models = to_text(sorted(self._models()))
        with self._lock:
            if (
                self._said is not None
                and self._said[1] == models
                and time.monotonic() < self._said[0] + self._lease / 3
            ):
                return
            with self._database.write() as connection:
                now = self._database.now(connection)
                values = {
                    "machine": self._machine,
                    "process": self._process,
                    "models": models,
                    "seen": now,
                }
                if not connection.execute(
                    update(schema.workers).where(workers.id == self.id).values(values)
                ).rowcount:
                    connection.execute(insert(schema.workers).values(id=self.id, **values))
                connection.execute(
                    delete(schema.workers).where(workers.seen < now - SILENT_LEASES * self._lease)
                )
            self._said = (time.monotonic(), models)

    def leave(self) -> None:
        """Remove this worker: it ends."""
        with self._lock, self._database.write() as connection:
            connection.execute(delete(schema.workers).where(workers.id == self.id))
            self._said = None

    def dead(self) -> list[str]:
        """Return the workers of this machine whose process is gone."""
        with self._database.read() as connection:
            here = connection.execute(
                select(workers.id, workers.process).where(workers.machine == self._machine)
            ).all()
        return [row.id for row in here if row.process != self._process and not _lives(row.process)]

    def forget(self, gone: Sequence[str]) -> None:
        """Remove workers whose jobs were put back."""
        if gone:
            with self._database.write() as connection:
                connection.execute(delete(schema.workers).where(workers.id.in_(gone)))

    def living(self) -> list[str]:
        """
        Return the processes that reported not long ago, those of servers too.

        Those that only wait for jobs are none of them.
        """
        with self._database.read() as connection:
            seen = workers.seen >= self._database.now(connection) - self._lease
            running = ~workers.id.startswith(WAITING)
            return list(connection.execute(select(workers.id).where(seen, running)).scalars())

    def waiting(self) -> set[str]:
        """Return the processes that wait for jobs of theirs, and were heard of."""
        with self._database.read() as connection:
            since = self._database.now(connection) - SILENT_LEASES * self._lease
            heard = workers.seen >= since, workers.id.startswith(WAITING)
            return set(connection.execute(select(workers.id).where(*heard)).scalars())

    def holders(self) -> dict[str, list[str]]:
        """Return the models that living workers hold, and who holds each."""
        found: dict[str, list[str]] = {}
        with self._database.read() as connection:
            seen = workers.seen >= self._database.now(connection) - self._lease
            for row in connection.execute(select(workers.id, workers.models).where(seen)):
                for model in json.loads(row.models):
                    found.setdefault(model, []).append(row.id)
        return found


def _process(number: int) -> str:
    """
    Return a process by its number and the moment it began, in ticks since the machine did.

    Without the moment where that is not known.
    """
    try:
        status, *fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return f"{number}:"
    return f"{number}:{fields[18]}" if status != "Z" else f"{number}:ended"


def _lives(process: str) -> bool:
    """Return whether it may still be there."""
    number, _, began = process.partition(":")
    return not began or _process(int(number)) == process


def _machine() -> str:
    """
    Return what processes that can see one another have in common, and no others.

    One boot of one kernel, one space of process numbers.
    """
    space, boot = Path("/proc/self/ns/pid"), Path("/proc/sys/kernel/random/boot_id")
    return (
        f"{space.readlink()} {boot.read_text().strip()}" if boot.exists() else socket.gethostname()
    )
