"""What several requests do to the same files at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx2
import pytest

from nodetool_core import Registry
from nodetool_core.editor.documents import Documents
from nodetool_core.server.catalog import Catalog
from nodetool_core.server.http.http_errors import HttpError
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, ended

WRITERS = 8


@pytest.fixture
def switching() -> Iterator[None]:
    """Have Python change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_of_several_that_save_over_the_same_file_one_does(tmp_path: Path) -> None:
    documents = Documents(tmp_path / "graphs", tmp_path / "data")
    for attempt in range(20):
        etag = documents.write(f"night_{attempt}", b"{}", None)
        together = Barrier(WRITERS)

        def save(
            number: int,
            name: str = f"night_{attempt}",
            etag: str = etag,
            together: Barrier = together,
        ) -> bool:
            together.wait()
            try:
                documents.write(name, b"%d" % number, etag)
            except HttpError as error:
                assert error.status == 412
                return False
            return True

        with ThreadPoolExecutor(WRITERS) as threads:
            assert sum(threads.map(save, range(WRITERS))) == 1


@pytest.mark.usefixtures("switching")
def test_the_catalog_is_read_while_it_is_refreshed(tmp_path: Path) -> None:
    catalog = Catalog(Registry.installed(), tmp_path)

    def refresh() -> None:
        for number in range(60):
            path = tmp_path / f"w{number}.json"
            path.write_bytes(blur(float(number)).to_bytes())
            catalog.refresh()
            if number % 2:
                path.unlink()

    with ThreadPoolExecutor(2) as threads:
        done = threads.submit(refresh)
        while not done.done():
            for served in catalog:
                assert served.name
        done.result()
    catalog.refresh()
    assert [served.name for served in catalog] == sorted(f"w{n}" for n in range(0, 60, 2))


def test_six_pages_of_one_browser_learn_of_a_run(editor: LiveEditor, owner: httpx2.Client) -> None:
    cookies = dict(owner.cookies)

    def learn(begun: Barrier) -> str:
        with editor.stranger() as page:
            page.cookies.update(cookies)
            with page.stream("GET", "/v1/events") as stream:
                lines = stream.iter_lines()
                next(lines)
                begun.wait(60)
                for line in lines:
                    event = json.loads(line[6:]) if line.startswith("data: ") else {}
                    if event.get("event") == "job_ended" and event["state"] == "done":
                        return str(event["job"])
        raise AssertionError("the stream ended")

    together = Barrier(7)
    with ThreadPoolExecutor(6) as pages:
        learned = [pages.submit(learn, together) for _ in range(6)]
        together.wait(60)
        job = ended(owner, blur(6.5))["id"]
        assert [one.result(60) for one in learned] == [job] * 6
