"""
The tables. One schema for SQLite and PostgreSQL; `VERSION` counts its changes.

`jobs` is the truth about every job; what else there is hangs on it. JSON is kept as text: nothing
is searched inside it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

VERSION: Final = 1

metadata = MetaData()

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""
64 bits; SQLite counts up by itself only in a column of this very name, which has 64 bits there too.
"""

version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

workflows = Table(
    "workflows",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("document", Text, nullable=False),
    Column("base", Text, nullable=False),
)
"""
What jobs run, once however many they are.

The document, and the folder its relative paths start from.
"""

jobs = Table(
    "jobs",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("client", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("workflow", String(64), ForeignKey("workflows.digest"), nullable=False),
    Column("inputs", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("model", Text),
    Column("queue", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("round", BigInteger, nullable=False),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Column("deadline", Double),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("lease", Double),
    Column("worker", Text),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("idempotency_key", Text),
    Column("request", String(64), nullable=False),
    Column("retry_of", String(32)),
    Column("problems", Text, nullable=False, server_default="[]"),
    Column("report", Text, nullable=False, server_default="{}"),
    Column("results", Text, nullable=False, server_default="{}"),
    Column("last_event", Integer, nullable=False, server_default="0"),
    UniqueConstraint("client", "idempotency_key"),
    Index("jobs_by_turn", "state", text("priority DESC"), "round", "number"),
    Index("jobs_by_client", "state", "priority", "client", "round"),
    Index("jobs_by_end", "ended"),
    # Numbers are never used again, not even those of jobs that were removed.
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("job", _NUMBER, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("data", Text, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("touched", Double, nullable=False),
    Index("files_by_touch", "touched"),
)
"""
Uploads and results in the storage.

A file is removed when no job names it and nobody has put it there of late.
"""

job_files = Table(
    "job_files",
    metadata,
    Column("job", _NUMBER, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), ForeignKey("files.digest"), primary_key=True),
    Index("job_files_by_file", "digest"),
)

file_names = Table(
    "file_names",
    metadata,
    Column("client", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("digest", String(64), ForeignKey("files.digest", ondelete="CASCADE"), nullable=False),
    Index("file_names_by_file", "digest"),
)
"""What clients call stored files; a name goes with its file."""

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("machine", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("models", Text, nullable=False, server_default="[]"),
    Column("seen", Double, nullable=False),
)
"""
Who runs jobs: the process, by which others on its machine see whether it still lives, and the
models it holds.
"""
