"""Names that clients give to stored files."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from nodetool_core.jobs import names, schema
from nodetool_core.jobs.database import Database
from nodetool_core.jobs.files import Files, describe
from nodetool_core.jobs.job import JobsError
from nodetool_core.jobs.names import FileNames
from nodetool_core.jobs.storage import open_storage


def stored(database: Database, folder: Path, *contents: bytes) -> list[str]:
    files, found = Files(database, open_storage(folder)), []
    for content in contents:
        files.put([(describe(content), content)])
        found.append(describe(content).digest)
    return found


def test_names_are_each_clients_own(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    first, second = stored(database, tmp_path / "files", b"one", b"two")
    found = FileNames(database)
    found.give("ann", "input/b.png", first)
    found.give("ann", "input/a.png", second)
    found.give("bob", "input/a.png", first)
    assert (found.get("ann", "input/a.png"), found.get("bob", "input/a.png")) == (second, first)
    assert found.get("cid", "input/a.png") is None
    assert found.list("ann") == ["input/a.png", "input/b.png"]
    found.give("ann", "input/a.png", first)
    assert found.get("ann", "input/a.png") == first
    assert found.give("ann", "input/a.png", first, replace=False)
    assert not found.give("ann", "input/a.png", second, replace=False)
    assert found.get("ann", "input/a.png") == first
    database.close()


def test_a_name_goes_with_its_file(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    (first,) = stored(database, tmp_path / "files", b"one")
    found = FileNames(database)
    found.give("ann", "a", first)
    with database.write() as connection:
        connection.execute(delete(schema.files))
    assert found.get("ann", "a") is None
    with pytest.raises(JobsError) as refused:
        found.give("ann", "a", first)
    assert refused.value.problem.code == "unknown_file"
    database.close()


def test_a_client_has_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST", 2)
    database = Database(str(tmp_path / "jobs.sqlite"))
    (first,) = stored(database, tmp_path / "files", b"one")
    found = FileNames(database)
    for name in ("a", "b", "a"):
        found.give("ann", name, first)
    with pytest.raises(JobsError) as refused:
        found.give("ann", "c", first)
    assert refused.value.problem.code == "too_many_names"
    found.give("bob", "c", first)
    database.close()


def test_a_database_from_before_gets_the_table(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "jobs.sqlite"))
    with database.write() as connection:
        schema.file_names.drop(connection)
    database.close()
    database = Database(str(tmp_path / "jobs.sqlite"))
    assert FileNames(database).list("ann") == []
    database.close()
