"""
What `nodetool_core` offers, what importing it costs, and how its rooms import each other.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest

import nodetool_core

ROOT = Path(__file__).parents[1]

ROOMS = [
    "json_types",
    "errors",
    "garbage_collection",
    "hub_addresses",
    "forking",
    "references",
    "assets",
    "values",
    "ownership",
    "services",
    "secrets",
    "type_forms",
    "own_types",
    "types",
    "context",
    "properties",
    "declaration",
    "handles",
    "node_base",
    "functions",
    "mypy_plugin",
    "packs",
    "registry",
    "models",
    "workflow",
    "graph",
    "specialized",
    "workflow_class",
    "migrating",
    "pack_versions",
    "validation",
    "bypass",
    "relocating",
    "subworkflow",
    "drawing",
    "importing",
    "inputs",
    "batch",
    "engine",
    "building",
    "editing",
    "mapped",
    "running",
    "api",
    "jobs",
    "replay",
    "reference",
    "server",
    "editor",
    "cli",
]
"""
From the bottom up: a room imports those before it and itself. docs/architecture.md says why each is
where it is.
"""

FOR_NODES = {"assets", "errors", "references", "specialized", "values"}
"""
Rooms that a pack may use besides the public face; `packs` is for the pack's own announcement,
`importing` for importers.
"""

DIFFUSERS = "nodetool_core.models.diffusers"
"""
What diffusers can do, and how.

Known to the room that loads them and to the nodes that call them, and written once.
"""

HEAVY = {"torch", "diffusers", "transformers", "accelerate", "safetensors"}
MAY_IMPORT_HEAVY = (
    "nodetool_core/models/",
    "nodes/huggingface/",
    "nodetool_core/engine/caching/leaf_codec.py",
    "nodetool_core/type_forms.py",
)
"""The last two for values that are tensors already: nobody else's run imports anything there."""


def test_every_public_name_is_there() -> None:
    for name in nodetool_core.__all__:
        assert getattr(nodetool_core, name) is not None
    assert set(nodetool_core.__all__) <= set(dir(nodetool_core))
    assert nodetool_core.__all__ == sorted(
        nodetool_core.__all__, key=lambda name: (name != name.upper(), name)
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nod'"):
        nodetool_core.Nod  # noqa: B018


def imported_by(code: str) -> set[str]:
    """Top-level packages that are loaded in a fresh process once the code has run."""
    script = (
        f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_costs_nothing() -> None:
    assert (
        imported_by("import nodetool_core")
        & (HEAVY | {"pydantic", "PIL", "numpy", "networkx", "rich", "typer"})
        == set()
    )


@pytest.mark.parametrize(("before", "after"), [("", "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_torch_wait_without_spinning_unless_the_user_says_otherwise(
    before: str, after: str
) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = "import nodetool_core, os; print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment | ({"OMP_WAIT_POLICY": before} if before else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [after]


def test_declaring_a_node_needs_no_models_and_no_images() -> None:
    code = "from nodetool_core import Context, Field, ImageRef, Node"
    assert imported_by(code) & (HEAVY | {"PIL", "numpy", "networkx", "huggingface_hub"}) == set()


def test_loading_and_listing_does_not_import_torch() -> None:
    code = (
        "from nodetool_core import Registry, Workflow; Workflow.load('graphs/image_to_image.json');"
        " list(Registry.installed())"
    )
    assert imported_by(code) & HEAVY == set()


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path, *, for_types: bool = True) -> Iterator[str]:
    """
    Yield what a file imports: at its top, inside of functions, and for type checkers.

    Args:
        for_types: With what is imported for type checkers alone.
    """
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        found = pending.pop()
        if not for_types and isinstance(found, ast.If) and _is_for_types(found):
            pending.extend(found.orelse)
            continue
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            assert found.level == 0, f"{path}: imports are absolute"
            yield from (f"{found.module}.{alias.name}" for alias in found.names)
        pending.extend(ast.iter_child_nodes(found))


def _is_for_types(found: ast.If) -> bool:
    return isinstance(found.test, ast.Name) and found.test.id == "TYPE_CHECKING"


def room_of(module: str) -> str | None:
    """Return the room of an imported name, or None for the public face."""
    name = module.split(".")[1] if "." in module else ""
    return name if name in ROOMS else None


def test_every_module_belongs_to_a_room() -> None:
    found = {
        path.relative_to(ROOT / "nodetool_core").parts[0].removesuffix(".py")
        for path in sources("nodetool_core")
    }
    assert found - {"__init__"} == set(ROOMS)


def test_the_architecture_page_explains_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert [room for room in ROOMS if f"`{room}" not in page] == []


def test_arrows_between_rooms_point_down() -> None:
    wrong = []
    for path in sources("nodetool_core"):
        own = path.relative_to(ROOT / "nodetool_core").parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for name in imports(path):
            target = room_of(name) if name.startswith("nodetool_core") else own
            if name.partition(".")[0] == "nodes" or (
                target is not None and ROOMS.index(target) > ROOMS.index(own)
            ):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def modules() -> dict[str, Path]:
    """Return every module of the core, by its import name."""
    paths = {
        path: path.relative_to(ROOT).with_suffix("").parts for path in sources("nodetool_core")
    }
    return {".".join(parts).removesuffix(".__init__"): path for path, parts in paths.items()}


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = modules()
    arrows = networkx.DiGraph()
    for module, path in known.items():
        for name in imports(path):
            # `from package import module` and `from package.module import name` alike.
            target = name if name in known else name.rpartition(".")[0]
            if target in known and target not in (module, "nodetool_core"):
                arrows.add_edge(module, target)
    circles = [
        sorted(circle)
        for circle in networkx.strongly_connected_components(arrows)
        if len(circle) > 1
    ]
    assert circles == []


def test_nodes_use_the_public_face() -> None:
    wrong = []
    for path in sources("nodes"):
        allowed = set(FOR_NODES)
        if path.parent == ROOT / "nodes" and path.stem in ("__init__", "aliases"):
            allowed.add("packs")
        if ROOT / "nodes" / "importers" in path.parents:
            allowed.add("importing")
        used = [
            name
            for name in imports(path, for_types=False)
            if name.startswith("nodetool_core.") and not name.startswith(DIFFUSERS)
        ]
        foreign = [name for name in used if room_of(name) not in {*allowed, None}]
        wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in foreign]
    assert wrong == []


def test_the_core_names_no_node_type() -> None:
    registry = nodetool_core.Registry.installed()
    types = {node.spec.node_type for node in registry}
    types.update(name for pack in registry.packs for name in pack.aliases)
    named = [
        f"{path.relative_to(ROOT)}:{found.lineno} names {found.value}"
        for path in sources("nodetool_core")
        for found in ast.walk(ast.parse(path.read_text()))
        if isinstance(found, ast.Constant) and found.value in types
    ]
    rest = [name for name in named if not name.startswith("nodetool_core/server/")]
    assert rest == [], "packs say which of their nodes the core uses (packs.py)"


def test_only_the_model_room_and_model_nodes_import_torch() -> None:
    wrong = []
    for path in [*sources("nodetool_core"), *sources("nodes")]:
        place = path.relative_to(ROOT).as_posix()
        if place.startswith(MAY_IMPORT_HEAVY):
            continue
        wrong += [
            f"{place} imports {name}" for name in imports(path) if name.partition(".")[0] in HEAVY
        ]
    assert wrong == []
