"""
From a reference in parts to files on this machine: the parts first, then what the base has to add.

A base on the Hub gives its texts first, which say what the parts take the place of; of its weights
only the rest is fetched. A family's name, and no base at all, mean the configuration of the family.
A base that is a checkpoint gives every component that no part does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.file_families import FAMILIES
from nodetool_core.models.sources.inspection import inspect_file, no_whole_model
from nodetool_core.models.sources.model_parts import (
    COMPONENTS,
    base_for,
    base_incomplete,
    lacking,
    placed,
)
from nodetool_core.models.sources.repository_files import NETWORK
from nodetool_core.models.sources.resolved import ResolvedModel, ResolvedPart

if TYPE_CHECKING:
    from nodetool_core.references import ModelRef, PartRole


class Configuration(Protocol):
    """Finds the folder with the texts of a repository, and its commit; None where it has none."""

    def __call__(self, repo_id: str, revision: str | None = None) -> tuple[Path, str] | None: ...


class Find(Protocol):
    """Finds the files of one reference; None where they would have to be fetched and may not be."""

    def __call__(
        self, ref: ModelRef, task: str | None = None, without: frozenset[str] = frozenset()
    ) -> ResolvedModel | None: ...


def assembled(
    ref: ModelRef,
    local: Callable[[ModelRef], ResolvedModel | None],
    find: Find,
    configuration: Configuration,
) -> ResolvedModel | None:
    """
    Return the files of a model in parts; None where some are not here and `find` fetches nothing.

    Args:
        local: Finds what needs no Hub.
        find: Finds anything, and may fetch it.
        configuration: Finds the texts of a repository, and may fetch them.

    Raises ModelError for parts that are none or do not fit.
    """
    given: list[tuple[PartRole, ResolvedModel]] = []
    for role, part in ref.parts:
        # The kind says in which folders of models a name is looked for.
        wanted = part.model_copy(update={"type": f"hf.{role}"})
        found = find(wanted, f"{NETWORK}:{'|'.join(COMPONENTS[role])}")
        if found is None:
            return None
        given.append((role, found))
    base = ref.without_parts
    if base.is_empty() or base.repo_id in FAMILIES:
        family = FAMILIES.get(base.repo_id)
        named = family.base if family else base_for(given, ref.repo_id)
        if not named:
            raise _no_configuration(base.repo_id)
        return _over_configuration(named, base.repo_id or named, given, configuration)
    here = local(base)
    if here is not None and here.kind == "file":
        return _over_checkpoint(here, given, configuration)
    if here is not None:
        return _joined(here, placed(here.path, here.name, given))
    texts = configuration(base.repo_id, base.revision)
    if texts is None:
        return None
    parts = placed(texts[0], base.repo_id, given)
    rest = find(base, None, frozenset(one.component for one in parts))
    return None if rest is None else _joined(rest, parts)


def _over_configuration(
    repo_id: str,
    name: str,
    given: list[tuple[PartRole, ResolvedModel]],
    configuration: Configuration,
) -> ResolvedModel | None:
    texts = configuration(repo_id)
    if texts is None:
        return None
    parts = placed(texts[0], repo_id, given)
    if missing := lacking(texts[0], repo_id, parts):
        raise base_incomplete(name, missing)
    base = ResolvedModel(name, texts[0], "directory", texts[1], is_configuration=True)
    return _joined(base, parts)


def _over_checkpoint(
    checkpoint: ResolvedModel,
    given: list[tuple[PartRole, ResolvedModel]],
    configuration: Configuration,
) -> ResolvedModel | None:
    """Return the parts that are given over the components of a checkpoint."""
    described = inspect_file(checkpoint.path, checkpoint.name)
    family = FAMILIES.get(described.family or "")
    if described.kind != "checkpoint" or family is None or not family.base:
        raise no_whole_model(checkpoint.name, described)
    texts = configuration(family.base)
    if texts is None:
        return None
    parts = placed(texts[0], family.base, given, checkpoint)
    if missing := lacking(texts[0], family.base, parts):
        raise base_incomplete(checkpoint.name, missing)
    base = ResolvedModel(
        checkpoint.name,
        texts[0],
        "directory",
        f"{checkpoint.revision}+{texts[1]}",
        is_configuration=True,
    )
    return _joined(base, parts)


def _joined(base: ResolvedModel, parts: tuple[ResolvedPart, ...]) -> ResolvedModel:
    revisions = [base.revision, *(one.revision for one in parts)]
    return replace(base, revision="+".join(revisions), parts=parts)


def _no_configuration(family: str) -> ModelError:
    message = "is a family whose models no node uses."
    return ModelError(Problem("model_base_missing", family, message, "Take another family."))
