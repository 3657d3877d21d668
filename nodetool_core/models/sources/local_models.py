"""
The models on this machine.

Those that ship with packs and those in the cache of the Hub, whole or not.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.component_files import missing_files, weight_variants
from nodetool_core.models.sources.repository_layout import read_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from huggingface_hub import HFCacheInfo

    from nodetool_core.references import ModelRef

_PREFIX = "models--"
"""Begins the names of the cache's folders of models; `--` stands for the slash of an id."""

_WEIGHTS = (".safetensors", ".bin", ".gguf", ".ckpt", ".pt", ".pth")
"""How the names of files of weights end."""

_HELPERS = (".cache", ".git")
"""Folders beside a model's files that are no part of it."""


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine."""

    name: str
    source: str
    """`pack` for weights that ship with a pack, `hub` for the Hub's cache."""
    bytes: int
    revisions: list[str]
    path: str
    gaps: list[str] = field(default_factory=list)
    """What lacks of it, a sentence for each revision that is not whole."""
    used: float | None = None
    """When its weights were last read, as the file system notes it: a Unix time in seconds."""

    @property
    def directories(self) -> list[Path]:
        """Where its files are: a folder for each revision in the cache."""
        return (
            [Path(self.path, "snapshots", one) for one in self.revisions]
            if self.source == "hub"
            else [Path(self.path)]
        )


def local_models(shipped: Mapping[str, Path], cache_dir: Path) -> list[LocalModel]:
    """
    Return all local models, those of packs first; `shipped` are those by id.

    Sizes are what they take of the disk.
    """
    packs = [
        LocalModel(name, "pack", _bytes(path), [], str(path), gaps_in([path]), _used(path))
        for name, path in sorted(shipped.items())
        if path.is_dir()
    ]
    scanned = scan(cache_dir)
    sizes = (
        {repo.repo_id: repo.size_on_disk for repo in scanned.repos if repo.repo_type == "model"}
        if scanned
        else {}
    )
    return [*packs, *(_fetched(folder, sizes) for folder in sorted(cache_dir.glob(f"{_PREFIX}*")))]


def removal(
    model: LocalModel, revisions: Sequence[str], cache_dir: Path
) -> tuple[int, Callable[[], None]]:
    """
    Return the bytes that removing revisions of a model frees, and what removes them.

    Files that other revisions share stay; a model that is damaged goes as a whole.
    """
    cache = scan(cache_dir)
    known = cache is not None and any(
        repo.repo_id == model.name and repo.repo_type == "model" for repo in cache.repos
    )
    if cache is None or not known:
        return model.bytes, lambda: shutil.rmtree(model.path)
    plan = cache.delete_revisions(*revisions)
    return plan.expected_freed_size, plan.execute


def ref_of(name: str, **fields: str | None) -> ModelRef:
    """
    Return the model that a name or the address of its page stands for.

    Raises ModelError for the page of something else.
    """
    from pydantic import ValidationError

    from nodetool_core.references import ModelRef

    try:
        return ModelRef(repo_id=name, **fields)  # type: ignore[arg-type]
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ModelError(
            Problem("model_id_malformed", name, f"{said}.", "Give a Hub id such as owner/name.")
        ) from error


def scan(cache_dir: Path) -> HFCacheInfo | None:
    """
    Return what huggingface_hub knows of its cache, which leaves out what is damaged.

    None where there is none yet.
    """
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return scan_cache_dir(cache_dir)
    except CacheNotFound:
        return None


def gaps_in(directories: list[Path]) -> list[str]:
    """Return what lacks in the folders of a model, a sentence for each that is not whole."""
    said = [(directory, _gap(directory)) for directory in directories]
    return [
        f"{directory.name[:12]}: {gap}" if len(directories) > 1 else gap
        for directory, gap in said
        if gap
    ]


def files_in(directory: Path) -> Iterator[Path]:
    """Yield the files of a model, and links in their place that lead nowhere."""
    for path in sorted(directory.rglob("*")):
        if not path.is_dir() and not any(
            part in _HELPERS for part in path.relative_to(directory).parts
        ):
            yield path


def _fetched(folder: Path, sizes: Mapping[str, int]) -> LocalModel:
    name = folder.name.removeprefix(_PREFIX).replace("--", "/")
    snapshots = sorted(path for path in (folder / "snapshots").glob("*") if path.is_dir())
    gaps = (
        gaps_in(snapshots) if snapshots else ["nothing of it is here yet; its download was stopped"]
    )
    if (
        not gaps
        and any(folder.glob("blobs/*.incomplete"))
        and not any(folder.rglob("*.safetensors"))
    ):
        gaps = ["it has no weights; its download was stopped"]
    size = sizes.get(name)
    return LocalModel(
        name,
        "hub",
        _bytes(folder) if size is None else size,
        [path.name for path in snapshots],
        str(folder),
        gaps,
        _used(folder / "snapshots"),
    )


def _gap(directory: Path) -> str:
    """Return what lacks in one folder, as a sentence; empty where nothing does."""
    files = list(files_in(directory))
    names = [path.name for path in files]
    if "model_index.json" in {path.name for path in directory.iterdir()} and weight_variants(names):
        return _gap_of_pipeline(directory, weight_variants(names))
    lacking = [
        f"{folder.name}/{file}"
        for folder in sorted({path.parent for path in files})
        for file in missing_files(folder, _any_variant(folder))
    ]
    return f"it lacks {', '.join(lacking)}" if lacking else ""


def _gap_of_pipeline(directory: Path, variants: set[str | None]) -> str:
    """
    Return the first thing that lacks of the variant that is most complete.

    What is refused for other reasons is there.
    """
    gaps = []
    for variant in sorted(variants, key=lambda one: one or ""):
        try:
            read_layout(directory, directory.name, variant)
        except ModelError as error:
            if error.problem.code not in ("model_incomplete", "model_variant_needed"):
                return ""
            gaps.append(error.problem.message.removeprefix("is incomplete: ").rstrip("."))
        else:
            return ""
    return gaps[0]


def _any_variant(folder: Path) -> str | None:
    found = weight_variants([path.name for path in folder.iterdir()])
    return None if None in found else next(iter(found), None)


def _bytes(folder: Path) -> int:
    files = {path.resolve() for path in folder.rglob("*") if path.is_file()}
    return sum(path.stat().st_size for path in files)


def _used(folder: Path) -> float | None:
    # Of weights alone: a listing reads the small files.
    times = [
        path.stat().st_atime
        for path in folder.rglob("*")
        if path.suffix in _WEIGHTS and path.is_file()
    ]
    return max(times, default=None)
