"""
Measures how many of ComfyUI's official templates `nodetool import` keeps whole.

    python bench/imports.py [--list] [--json FILE] [FOLDER]

The templates are those of the package `comfyui-workflow-templates-json` (extra `bench`). Chosen are
the ones that need open models alone, give images and nothing else, and have no class for video,
audio, 3D or the generation of texts. Printed are the grades (whole, with notes, with losses,
refused), counted and weighted by how often people open the template, and what is lost: the classes
by the number of templates that lose something to them, and of those that lose nothing else.
Templates that are not whole are listed by why: outside of this project (a model that the installed
diffusers and transformers have no class for, which is asked of them), or ours.

With a folder, its workflow files are taken instead, each with a weight of 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nodes.importers.without_pipeline import classes_of, family_without_pipeline  # noqa: E402
from nodetool_core import Registry  # noqa: E402
from nodetool_core.errors import NodetoolError  # noqa: E402
from nodetool_core.importing import import_file  # noqa: E402

PACKAGE: Final = "comfyui_workflow_templates_json"
OTHER_KINDS: Final = re.compile("Video|Audio|3D|TextGenerate")
"""Classes of templates that are about something else than images."""
CLASS: Final = re.compile(r"(.+?) \([\w:]+\)(?: in .*)?")
"""How notes name a node; a class may have brackets in its name itself."""
GRADES: Final = ("whole", "with notes", "with losses", "refused")


@dataclass
class Outcome:
    """What became of one file."""

    name: str
    weight: int
    grade: str
    lost: list[str] = field(default_factory=list)
    """Classes that something was lost of."""
    approximated: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    """Of its models, those that no pipeline runs."""


def templates() -> Iterator[tuple[Path, int]]:
    """Yield the chosen templates and how often each was opened."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        sys.exit("The templates are not installed: pip install -e .[bench]")
    folder = Path(found.submodule_search_locations[0], "templates")
    for group in json.loads((folder / "index.json").read_text()):
        for template in group["templates"]:
            path = folder / f"{template['name']}.json"
            if not (template.get("openSource") and path.exists()):
                continue
            if _is_about_images(template, group) and not _is_of_other_kind(path):
                yield path, int(template.get("usage") or 0)


def _is_about_images(template: dict[str, Any], group: dict[str, Any]) -> bool:
    outputs = template.get("io", {}).get("outputs")
    if not outputs:
        return bool(group["type"] == "image")
    return {output.get("mediaType") for output in outputs} == {"image"}


def _is_of_other_kind(path: Path) -> bool:
    content = json.loads(path.read_text())
    graphs = [content, *(content.get("definitions") or {}).get("subgraphs", [])]
    return any(OTHER_KINDS.search(node["type"]) for graph in graphs for node in graph["nodes"])


def outcome_of(path: Path, weight: int, registry: Registry) -> Outcome:
    try:
        imported = import_file(path, registry)
    except NodetoolError as error:
        problems, grade = error.problems, "refused"
    else:
        problems, grade = tuple(imported.notes), str(imported.grade)
    families = families_without_pipeline(path) if path.suffix == ".json" else []
    outcome = Outcome(path.stem, weight, grade, families=families)
    lost, approximated = set(), set()
    for problem in problems:
        named = CLASS.fullmatch(problem.where)
        kind = named[1] if named else problem.where
        # What only needs a node that is lost counts for that one.
        follows = "it needs " in problem.message or problem.code == "nothing_imported"
        if problem.level == "error" or problem.code.startswith("left_out"):
            lost |= set() if follows else {kind}
            outcome.messages.append(str(problem))
        elif problem.level == "warning":
            approximated.add(kind)
            outcome.messages.append(str(problem))
    outcome.lost, outcome.approximated = sorted(lost), sorted(approximated)
    return outcome


def families_without_pipeline(path: Path) -> list[str]:
    """Return the families of the models that a file names, where no pipeline runs them."""
    names = set(re.findall(r'"([^"/\\\\]+\.(?:safetensors|sft|gguf|ckpt|pth))"', path.read_text()))
    return sorted({family for name in names if (family := family_without_pipeline(name))})


def show(outcomes: Sequence[Outcome], details: bool) -> None:
    total = sum(outcome.weight for outcome in outcomes) or 1
    print(f"{len(outcomes)} files")
    for grade in GRADES:
        of_grade = [outcome for outcome in outcomes if outcome.grade == grade]
        share = sum(outcome.weight for outcome in of_grade) / total
        print(f"{len(of_grade):5} {grade:12} {share:6.1%} by use")
    _show_reasons([one for one in outcomes if one.grade != "whole"], total)
    for what in ("lost", "approximated"):
        files: Counter[str] = Counter()
        alone: Counter[str] = Counter()
        use: defaultdict[str, int] = defaultdict(int)
        for outcome in outcomes:
            kinds = getattr(outcome, what)
            files.update(kinds)
            alone.update(kinds if len(kinds) == 1 else ())
            for kind in kinds:
                use[kind] += outcome.weight
        print(f"\n{what}: class, files, files with nothing else {what}, share of use")
        for kind, count in files.most_common():
            print(f"  {kind:40} {count:4} {alone[kind]:4} {use[kind] / total:6.1%}")
    if details:
        for outcome in outcomes:
            print(f"\n{outcome.name}: {outcome.grade}, opened {outcome.weight} times")
            print("".join(f"  {message}\n" for message in outcome.messages), end="")


def _show_reasons(outcomes: Sequence[Outcome], total: int) -> None:
    """Print why files are not whole: a model that no library has, or what is missing here."""
    outside = [one for one in outcomes if one.families and not any(map(classes_of, one.families))]
    ours = [one for one in outcomes if one not in outside]
    for title, some in (("a model without a pipeline", outside), ("ours", ours)):
        share = sum(one.weight for one in some) / total
        print(f"\nnot whole, {title}: {len(some)} files, {share:.1%} by use")
        for one in some:
            reason = ", ".join(one.families if some is outside else one.lost + one.approximated)
            print(f"  {one.name:48} {one.grade:12} {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--list", action="store_true", help="what every file loses")
    parser.add_argument("--json", type=Path, help="file for the outcomes")
    given = parser.parse_args()
    registry = Registry.installed()
    files = (
        [(path, 1) for path in sorted(given.folder.rglob("*")) if path.is_file()]
        if given.folder
        else list(templates())
    )
    outcomes = [outcome_of(path, weight, registry) for path, weight in files]
    show(outcomes, given.list)
    if given.json:
        given.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))


if __name__ == "__main__":
    main()
