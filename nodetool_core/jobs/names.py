"""
Names that clients give to stored files, for protocols in which files have names.

Each client has names of its own. A name lasts as long as its file is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select

from nodetool_core.errors import Problem
from nodetool_core.jobs import schema
from nodetool_core.jobs.job import JobsError, unknown_file

if TYPE_CHECKING:
    from nodetool_core.jobs.database import Database

MOST: Final = 10_000
"""Names of one client."""

_names = schema.file_names.c


class FileNames:
    """The names. Safe to use from several threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(self, client: str, name: str, digest: str, *, replace: bool = True) -> bool:
        """
        Name a stored file.

        Args:
            replace: Whether a name that is another file's is this one's from now on.

        Returns whether it has the name.

        Raises JobsError: `unknown_file`, `too_many_names`.
        """
        with self._database.write() as connection:
            file = select(schema.files.c.digest).where(schema.files.c.digest == digest)
            if connection.execute(file).one_or_none() is None:
                raise JobsError(unknown_file(digest))
            own = _names.client == client
            named = own, _names.name == name
            before = connection.execute(select(_names.digest).where(*named)).scalar_one_or_none()
            if before is not None and not replace:
                return bool(before == digest)
            connection.execute(delete(schema.file_names).where(*named))
            counted = select(func.count()).select_from(schema.file_names).where(own)
            if connection.execute(counted).scalar_one() >= MOST:
                raise JobsError(_too_many())
            values = {"client": client, "name": name, "digest": digest}
            connection.execute(insert(schema.file_names).values(values))
            return True

    def get(self, client: str, name: str) -> str | None:
        """Return the digest of the file of that name; None where there is none."""
        query = select(_names.digest).where(_names.client == client, _names.name == name)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def remove(self, client: str, name: str) -> bool:
        """Take a name away from its file; return whether there was one."""
        query = delete(schema.file_names).where(_names.client == client, _names.name == name)
        with self._database.write() as connection:
            return connection.execute(query).rowcount > 0

    def list(self, client: str) -> list[str]:
        """Return a client's names in their order."""
        query = select(_names.name).where(_names.client == client).order_by(_names.name)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())


def _too_many() -> Problem:
    message = f"You have {MOST} named files, and no more may be."
    hint = "Give an earlier name again; files that are not used go with time."
    return Problem("too_many_names", "name", message, hint)
