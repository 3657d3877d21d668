"""What the page says of answers and requests (`editor/src/net/schema.ts`) is what they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from tests.editor.conftest import LiveEditor

SOURCE: Final = Path(__file__).parents[2] / "editor" / "src" / "net" / "schema.ts"
INTERFACE: Final = re.compile(r"^export interface (\w+) \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
FIELD: Final = re.compile(r"^  (\w+)(\??):", re.MULTILINE)
PYTHON: Final = {
    "Problem": "PlacedProblem", "Status": "StatusAnswer", "Property": "PropertyInfo",
    "Output": "OutputInfo", "Catalogue": "CatalogueAnswer", "RunRequest": "EditorRunRequest",
    "Job": "JobAnswer", "WorkflowInfo": "WorkflowAnswer", "Model": "LocalModelAnswer",
    "ModelsAnswer": "LocalModelsAnswer", "ServedModels": "ModelsAnswer",
}  # fmt: skip
"""Names of the page that are others than the server's."""
OF_THE_PAGE: Final = {"FieldSchema", "ObjectSchema", "ImageValue", "ProblemsAnswer"}
"""Parts of JSON values, which the document has as any JSON."""
BEYOND: Final = {"Property": {"step"}}
"""Fields of forms, which the page makes itself."""
ALWAYS: Final = {"Job": {"label", "kept", "prompts"}, "WorkflowInfo": {"modified", "thumbnail"}}
"""Fields that have a default and are given all the same."""


def interfaces() -> dict[str, dict[str, bool]]:
    """Return the fields of each interface, with whether they may be left out."""
    text = re.sub(r"/\*.*?\*/", "", SOURCE.read_text("utf-8"), flags=re.DOTALL)
    return {
        name: {field: mark == "?" for field, mark in FIELD.findall(body)}
        for name, body in INTERFACE.findall(text)
    }


@pytest.fixture(scope="module")
def schemas(editor: LiveEditor) -> dict[str, Any]:
    with editor.owner() as owner:
        found: dict[str, Any] = owner.get("/v1/openapi.json").json()["components"]["schemas"]
    return found


@pytest.mark.skipif(not SOURCE.is_file(), reason="needs the sources of the editor")
@pytest.mark.parametrize("name", sorted({*interfaces()} - OF_THE_PAGE) if SOURCE.is_file() else [])
def test_the_page_knows_the_fields_that_there_are(name: str, schemas: dict[str, Any]) -> None:
    said, schema = interfaces()[name], schemas[PYTHON.get(name, name)]
    unknown = {*said} - {*schema["properties"]} - BEYOND.get(name, set())
    assert not unknown, "the server has no such field"
    if name.endswith("Request") or name == "JobChange":
        required = {field for field, may_lack in said.items() if not may_lack}
        assert {*schema.get("required", ())} <= required, "the page has to send it"
        return
    sure = {field for field, may_lack in said.items() if not may_lack}
    sure -= ALWAYS.get(name, set())
    assert sure <= {*schema.get("required", ())}, "an answer may leave it out"
