"""Files of other tools as the page reads them: what is dropped onto it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx2
import pytest

ROOT: Final = Path(__file__).parents[2]
IMPORTED = ROOT / "tests" / "nodes" / "importers" / "files"


@pytest.mark.parametrize("path", sorted(IMPORTED.rglob("*.json")), ids=lambda path: path.stem)
def test_files_of_other_tools_are_read(path: Path, owner: httpx2.Client) -> None:
    read = owner.post(f"/v1/read?name={path.name}", content=path.read_bytes()).json()
    assert read["kind"] in ("comfyui", "workflow"), "some are NodeTool's own"
    if read["kind"] == "comfyui":
        assert read["grade"] and read["report"], "it says what became of each node"
    assert read["document"]["graph"]["nodes"]
    checked = owner.post("/v1/check", json={"document": read["document"]})
    assert checked.status_code == 200, "what is imported is shown, with whatever is wrong with it"
