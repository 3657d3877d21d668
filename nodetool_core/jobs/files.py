"""
Which files there are and who needs them.

Invariant: a file that the database names is in the storage. A file is noted, with the time, before
its bytes are put there; and it is removed from both inside one transaction, only while no job names
it and nobody has noted it of late. Whoever puts it there again at that moment waits for the
transaction, finds nothing, and writes it anew.

Room. Files take at most `limit` bytes together, and leave `spare` bytes of the disk free. A file
that does not fit makes others go, those first that were used longest ago, together with the ended
jobs that name them; what a waiting or running job names, or was noted of late, stays. Where that is
not enough, the file is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, update

from nodetool_core.errors import ImageError, Problem
from nodetool_core.jobs import schema
from nodetool_core.jobs.job import JobsError, StoredFile, unknown_file
from nodetool_core.jobs.storage import digest_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from nodetool_core.jobs.database import Database
    from nodetool_core.jobs.storage import Storage

BATCH = 200
"""Jobs removed in one transaction, so that nobody waits long for it."""

_KEPT = '"kept":true'
"""How a note says that its job is kept, as JSON is stored; in a text, quotes are escaped."""

GRACE_SECONDS = 60.0
"""
How long a file stays in any case: an upload until a job names it, a result until it is fetched.
"""

MARGIN = 20
"""
Where room has to be made, a part of the limit is made free at once, so that the next files need not
look for it again.
"""

files = schema.files.c


class Files:
    """Stored files and how long they stay. Safe to use from several threads and processes."""

    def __init__(
        self, database: Database, storage: Storage, *, limit: int | None = None, spare: int = 0
    ) -> None:
        """
        Keep files in a storage, and note them in a database.

        Args:
            limit: Most bytes of all files together; None for any number.
            spare: Bytes that stay free on the disk of the storage, where it has one.
        """
        self.database = database
        self.storage = storage
        self.limit = limit
        self.spare = spare

    def put(self, found: Sequence[tuple[StoredFile, bytes]]) -> None:
        """
        Keep files. They stay while a job that has not ended names them, and a while in any case.

        Raises JobsError: `storage_full` where there is no room, `storage_failed`,
            `database_failed`.
        """
        while found and (missing := self._note([file for file, _ in found])):
            self._make_room(missing)
        for _, data in found:
            self.storage.put(data)

    def total_bytes(self) -> int:
        """Return how many bytes all files have together."""
        with self.database.read() as connection:
            return _total(connection)

    def get(self, digest: str) -> StoredFile:
        """Return what is known of a file. Raises JobsError(`unknown_file`)."""
        with self.database.read() as connection:
            row = connection.execute(
                select(schema.files).where(files.digest == digest)
            ).one_or_none()
        if row is None:
            raise JobsError(unknown_file(digest))
        return StoredFile(row.digest, row.media_type, row.size, row.width, row.height)

    def purge(self, keep: float) -> tuple[int, int]:
        """
        Remove jobs that ended, and files that nobody needed, more than `keep` seconds ago.

        Returns how many of each.
        """
        removed = 0
        while count := self._purge_jobs(keep):
            removed += count
        return removed, self._purge_files(keep)

    def remove_job(self, job_id: str) -> None:
        """Remove a job that has ended; what it named goes with the next purge."""
        jobs = schema.jobs.c
        with self.database.write() as connection:
            chosen = jobs.id == job_id, jobs.ended.is_not(None)
            _remove_jobs(connection, select(jobs.number).where(*chosen))

    def _purge_jobs(self, keep: float) -> int:
        jobs = schema.jobs.c
        with self.database.write() as connection:
            over = (
                jobs.ended < self.database.now(connection) - keep,
                ~jobs.options.contains(_KEPT),
            )
            return _remove_jobs(
                connection, select(jobs.number).where(*over).order_by(jobs.ended).limit(BATCH)
            )

    def _purge_files(self, keep: float) -> int:
        with self.database.read() as connection:
            before = self.database.now(connection) - keep
            unused = (
                files.touched < before,
                ~exists().where(schema.job_files.c.digest == files.digest),
            )
            digests = connection.execute(select(files.digest).where(*unused)).scalars().all()
        removed = 0
        for digest in digests:
            with self.database.write() as connection:
                if connection.execute(
                    delete(schema.files).where(files.digest == digest, *unused)
                ).rowcount:
                    self.storage.delete(digest)
                    removed += 1
        return removed

    def _note(self, found: Sequence[StoredFile]) -> int:
        """
        Note files that are about to be put.

        Where there is no room, none that is new is, and the bytes that are missing returned.
        """
        with self.database.write() as connection:
            now = self.database.now(connection)
            new = {}
            for file in found:
                if not connection.execute(
                    update(schema.files).where(files.digest == file.digest).values(touched=now)
                ).rowcount:
                    new[file.digest] = file
            missing = (
                self._missing(connection, sum(file.size for file in new.values())) if new else 0
            )
            if new and not missing:
                connection.execute(
                    insert(schema.files), [asdict(file) | {"touched": now} for file in new.values()]
                )
            return missing

    def _missing(self, connection: Connection, needed: int) -> int:
        """Return how many bytes have to go before so many more fit."""
        over = 0 if self.limit is None else _total(connection) + needed - self.limit
        free = self.storage.free_bytes()
        return max(0, over, 0 if free is None else needed + self.spare - free)

    def _make_room(self, missing: int) -> None:
        """
        Remove what was used longest ago.

        Raises JobsError(`storage_full`) where all that may go is too little; nothing goes then.
        """
        with self.database.read() as connection:
            before = self.database.now(connection) - GRACE_SECONDS
            found = _unused(connection, before)
        if sum(size for _, size in found) < missing:
            raise JobsError(storage_full(missing))
        wanted = missing + (self.limit or 0) // MARGIN
        for digest, size in found:
            if wanted <= 0:
                return
            with self.database.write() as connection:
                if _unused(connection, before, digest):
                    _remove_jobs(
                        connection,
                        select(schema.job_files.c.job).where(schema.job_files.c.digest == digest),
                    )
                    connection.execute(delete(schema.files).where(files.digest == digest))
                    self.storage.delete(digest)
            wanted -= size


def storage_full(missing: int) -> Problem:
    message = (
        f"has {missing} bytes too few: all that it holds was used just now, or is needed by jobs."
    )
    return Problem(
        "storage_full", "The storage", message, "Ask again in a minute, or for smaller images."
    )


def _total(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.sum(files.size), 0))).scalar_one())


def _unused(
    connection: Connection, before: float, digest: str | None = None
) -> Sequence[tuple[str, int]]:
    """
    Return the files that no waiting or running job names, the longest unused first.

    All, or the one of `digest`; those last used before a moment; with their sizes.
    """
    jobs, named = schema.jobs.c, schema.job_files.c
    joined = schema.files.outerjoin(schema.job_files, named.digest == files.digest).outerjoin(
        schema.jobs, jobs.number == named.job
    )
    last = func.max(jobs.ended).label("ended")
    query = (
        select(files.digest, files.size, files.touched, last)
        .select_from(joined)
        .group_by(files.digest)
    )
    query = query.having(func.count(named.job) == func.count(jobs.ended)).where(
        files.touched < before
    )
    if digest is not None:
        query = query.where(files.digest == digest)
    found = [
        (max(row.touched, row.ended or 0.0), row.digest, row.size)
        for row in connection.execute(query)
    ]
    return [(name, size) for used, name, size in sorted(found) if used < before]


def _remove_jobs(connection: Connection, numbers: Select[tuple[int]]) -> int:
    """
    Remove jobs, what hangs on them, and workflows that no other job runs; returns how many jobs.
    """
    jobs = schema.jobs.c
    removed = connection.execute(delete(schema.jobs).where(jobs.number.in_(numbers))).rowcount
    if removed:
        connection.execute(
            delete(schema.workflows).where(
                ~exists().where(jobs.workflow == schema.workflows.c.digest)
            )
        )
    return removed


def describe(data: bytes) -> StoredFile:
    """
    Return what some bytes are, as far as their beginning shows.

    An image with its size, or just bytes.
    """
    from io import BytesIO

    from nodetool_core.assets.decode import identify

    try:
        image = identify(BytesIO(data), "file")
    except ImageError:
        return StoredFile(digest_of(data), "application/octet-stream", len(data))
    return StoredFile(
        digest_of(data),
        image.get_format_mimetype() or "application/octet-stream",
        len(data),
        *image.size,
    )
