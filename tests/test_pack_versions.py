"""Workflow files name the distributions of their nodes, which explain what is unknown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodes.nodetool.output import Output
from nodetool_core import Workflow, WorkflowError
from nodetool_core.cli.app import execute
from nodetool_core.pack_versions import version_hint
from nodetool_core.registry import Registry
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

PACK = """
from nodetool_core import Node

class Soften(Node):
    value: float = 0.0
    def process(self) -> float:
        return self.value / 2
"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a pack of its own, as pip would: the distribution studio-filters 1.4.0."""
    place = tmp_path / "site-packages"
    package, info = place / "studio_versions", place / "studio_filters-1.4.0.dist-info"
    for folder in (package, info):
        folder.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from nodetool_core.packs import Pack\npack = Pack(__name__)\n"
    )
    (package / "filters.py").write_text(PACK)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: studio-filters\nVersion: 1.4.0\n")
    (info / "entry_points.txt").write_text("[nodetool.packs]\nstudio = studio_versions:pack\n")
    monkeypatch.syspath_prepend(str(place))
    return tmp_path


def workflow(packs: dict[str, str], node_type: str, **data: object) -> WorkflowDocument:
    nodes = [{"id": "a", "type": node_type, "data": data}]
    return WorkflowDocument.from_json({"packs": packs, "graph": {"nodes": nodes, "edges": []}})


SOFTEN = "studio_versions.filters.Soften"


def test_a_saved_file_names_the_distributions_of_its_nodes(studio: Path) -> None:
    registry = Registry.installed()
    soften = registry.get(SOFTEN)
    assert soften is not None
    made = Workflow(Output(name="x", value=soften(value=4.0).output))
    saved = json.loads(made.save(studio / "soft.json").read_text())
    assert saved["packs"].keys() == {"studio-filters", "nodetool-imaging"}
    assert saved["packs"]["studio-filters"] == "1.4.0"
    read = Workflow.load(studio / "soft.json")
    assert read.run()["x"] == 2.0
    assert "packs" not in made.document.to_json(), "a workflow does not change when it is saved"


def test_a_workflow_inside_of_a_node_counts(studio: Path) -> None:
    registry = Registry.installed()
    soften = registry.get(SOFTEN)
    assert soften is not None
    inner = Workflow(Output(name="x", value=soften(value=4.0).output))
    node = inner.as_node()()
    outer = Workflow(Output(name="y", value=node.x))
    saved = json.loads(outer.save(studio / "outer.json").read_text())
    assert "studio-filters" in saved["packs"]


@pytest.mark.parametrize(
    ("packs", "said"),
    [
        ({"other-filters": "2.0"}, "made with other-filters 2.0, which is not installed."),
        ({"studio-filters": "1.10.0"}, "made with studio-filters 1.10.0, and 1.4.0 is installed."),
    ],
)
def test_what_is_unknown_is_explained_by_versions(
    studio: Path, packs: dict[str, str], said: str
) -> None:
    for document in (
        workflow(packs, "studio_versions.filters.Sharp"),
        workflow(packs, SOFTEN, by=1),
    ):
        with pytest.raises(WorkflowError) as raised:
            build_graph(document, Registry.installed())
        assert [said in problem.hint for problem in raised.value.problems] == [True]


def test_versions_that_fit_leave_the_hint_as_it_is(studio: Path) -> None:
    for packs in ({"studio-filters": "1.4.0"}, {"studio-filters": "1.3"}, {}):
        with pytest.raises(WorkflowError, match=r"Did you mean .*Soften"):
            build_graph(workflow(packs, "studio_versions.filters.Sofen"), Registry.installed())


def test_texts_of_strangers_are_not_repeated() -> None:
    assert version_hint({"x; rm -rf /": "1", "y" * 200: "1", "z": "\n1"}) == ""


def test_migrate_names_the_packs_of_what_it_writes(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    old = next(iter(Registry.installed().renamed_types()))
    for node_type, is_written in (("nodetool.output.Output", False), (old, True)):
        document = workflow({}, node_type).to_json()
        del document["packs"]
        file.write_text(json.dumps(document))
        assert execute(["migrate", str(file)]) == 0
        assert ("packs" in json.loads(file.read_text())) is is_written
