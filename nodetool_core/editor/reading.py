"""Files that somebody drops on the page: workflows of ours and of other tools, and images."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.provenance import read_provenance
from nodetool_core.editor.answers import ImportedNode, ReadAnswer
from nodetool_core.errors import ImageError, NodetoolError, Problem, WorkflowError
from nodetool_core.importing import NotRecognizedError, import_file
from nodetool_core.importing.report import report
from nodetool_core.server.v1.schemas import ProblemAnswer
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry


_UNUSUAL: Final = re.compile(r"[^\w .-]")


def read_file(content: bytes, name: str, registry: Registry) -> ReadAnswer:
    """
    Return what a file is: a workflow, one of another tool, an image, or nothing that is known.

    An image that a workflow made has that workflow's document beside it. Blocks.
    """
    with tempfile.TemporaryDirectory() as folder:
        # A workflow that has no name of its own is called as its file is.
        stem = _UNUSUAL.sub("_", PurePath(name).stem)[:100] or "file"
        path = Path(folder, f"{stem}{PurePath(name).suffix[:10]}")
        path.write_bytes(content)
        own = _own(content, path)
        if own is not None:
            return own
        try:
            imported = import_file(path, registry)
        except NotRecognizedError:
            pass
        except WorkflowError as error:
            told = [_by_name(problem, path, name) for problem in error.problems]
            return ReadAnswer(kind="unknown", notes=told)
        else:
            return ReadAnswer(
                kind="comfyui",
                document=imported.document.to_json(),
                notes=[_by_name(note, path, name) for note in imported.notes],
                grade=imported.grade.value,
                report=[ImportedNode.model_validate(asdict(one)) for one in report(imported)],
            )
        return ReadAnswer(kind="image" if _is_image(path) else "unknown")


def _by_name(problem: Problem, path: Path, name: str) -> ProblemAnswer:
    """Return what is told of a problem; the file has the name that it was sent under."""
    shown = ProblemAnswer.of(problem)
    shown.where = problem.where.replace(str(path), name)
    return shown


def _own(content: bytes, path: Path) -> ReadAnswer | None:
    """Return a workflow of ours, as a file or in an image that it made; None where it is none."""
    try:
        document = WorkflowDocument.from_text(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, WorkflowError):
        document = None
    if document is not None:
        return ReadAnswer(kind="workflow", document=document.to_json())
    try:
        made = read_provenance(path)
    except NodetoolError:
        return None
    workflow: object = (made or {}).get("workflow")
    if isinstance(workflow, str):
        workflow = json.loads(workflow)
    return ReadAnswer(kind="image", document=workflow) if isinstance(workflow, dict) else None


def _is_image(path: Path) -> bool:
    try:
        read_provenance(path)
    except ImageError as error:
        return error.problem.code == "broken_provenance"
    return True
