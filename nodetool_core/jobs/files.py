"""
Which files there are and who needs them.

Invariant: a file that the database names is in the storage. A file is noted, with the time, before its bytes are put there;
and it is removed from both inside one transaction, only while no job names it and nobody has noted it of late. Whoever puts
it there again at that moment waits for the transaction, finds nothing, and writes it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, select, update

from nodetool_core.errors import ImageError
from nodetool_core.jobs import schema
from nodetool_core.jobs.job import JobsError, StoredFile, unknown_file
from nodetool_core.jobs.storage import digest_of

if TYPE_CHECKING:
    from nodetool_core.jobs.database import Database
    from nodetool_core.jobs.storage import Storage

BATCH = 200
"""Jobs removed in one transaction, so that nobody waits long for it."""

files = schema.files.c


class Files:
    """Stored files and how long they stay. Safe to use from several threads and processes."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self.database = database
        self.storage = storage

    def put(self, found: Sequence[tuple[StoredFile, bytes]]) -> None:
        """Keep files. They stay while a job names them, and a while in any case. Raises JobsError."""
        if not found:
            return
        with self.database.write() as connection:
            now = self.database.now(connection)
            for file, _ in found:
                if not connection.execute(update(schema.files).where(files.digest == file.digest).values(touched=now)).rowcount:
                    values = {"media_type": file.media_type, "size": file.size, "width": file.width, "height": file.height}
                    connection.execute(insert(schema.files).values(digest=file.digest, touched=now, **values))
        for _, data in found:
            self.storage.put(data)

    def get(self, digest: str) -> StoredFile:
        """What is known of a file. Raises JobsError(`unknown_file`)."""
        with self.database.read() as connection:
            row = connection.execute(select(schema.files).where(files.digest == digest)).one_or_none()
        if row is None:
            raise JobsError(unknown_file(digest))
        return StoredFile(row.digest, row.media_type, row.size, row.width, row.height)

    def purge(self, keep: float) -> tuple[int, int]:
        """Remove jobs that ended, and files that nobody needed, more than `keep` seconds ago; gives how many of each."""
        removed = 0
        while count := self._purge_jobs(keep):
            removed += count
        return removed, self._purge_files(keep)

    def _purge_jobs(self, keep: float) -> int:
        jobs = schema.jobs.c
        with self.database.write() as connection:
            over = jobs.ended < self.database.now(connection) - keep
            numbers = connection.execute(select(jobs.number).where(over).order_by(jobs.ended).limit(BATCH)).scalars().all()
            if numbers:
                connection.execute(delete(schema.jobs).where(jobs.number.in_(numbers)))
                used = exists().where(jobs.workflow == schema.workflows.c.digest)
                connection.execute(delete(schema.workflows).where(~used))
            return len(numbers)

    def _purge_files(self, keep: float) -> int:
        with self.database.read() as connection:
            before = self.database.now(connection) - keep
            unused = files.touched < before, ~exists().where(schema.job_files.c.digest == files.digest)
            digests = connection.execute(select(files.digest).where(*unused)).scalars().all()
        removed = 0
        for digest in digests:
            with self.database.write() as connection:
                if connection.execute(delete(schema.files).where(files.digest == digest, *unused)).rowcount:
                    self.storage.delete(digest)
                    removed += 1
        return removed


def describe(data: bytes) -> StoredFile:
    """What some bytes are, as far as their beginning tells: a picture with its size, or just bytes."""
    from io import BytesIO

    from nodetool_core.assets.decode import identify

    try:
        image = identify(BytesIO(data), "file")
    except ImageError:
        return StoredFile(digest_of(data), "application/octet-stream", len(data))
    return StoredFile(digest_of(data), image.get_format_mimetype() or "application/octet-stream", len(data), *image.size)
