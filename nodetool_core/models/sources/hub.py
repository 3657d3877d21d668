"""
Fetching from the Hugging Face Hub.

The files of a repository are listed first, so that only what a pipeline reads is fetched:
safetensors and small texts, never pickles, of one variant. Then `snapshot_download` itself fetches
them into the shared cache, resumably, reporting bytes to the node that waits and stopping when its
run is cancelled. Without a network the cache answers, or an error does at once.
"""

from __future__ import annotations

import glob
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodetool_core.assets.files import write_problem
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.diffusers.tasks import check_task
from nodetool_core.models.sources.headers import is_safetensors
from nodetool_core.models.sources.modular_repository import MODULAR_INDEX, allows_code
from nodetool_core.models.sources.own_configuration import own_configuration
from nodetool_core.models.sources.priors import INDEX
from nodetool_core.models.sources.repository_files import (
    part_files,
    part_probes,
    pipeline_files,
    texts_in_folders,
)

if TYPE_CHECKING:
    from nodetool_core.context import Context
    from nodetool_core.models.protocols import Cancellable
    from nodetool_core.references import ModelRef

_TEXTS = [INDEX, MODULAR_INDEX, "config.json"]
"""One of them is here where the texts of a repository are."""

_TIMEOUT = 10.0
"""Seconds to wait for the Hub's first answer."""

Choose = Callable[[Sequence[str]], list[str]]
"""Takes the names of all files of a repository, and gives those to fetch."""

Progress = Callable[[int, int, str], None]
"""Takes how much is done, of how much, and of what."""


class Hub:
    """
    One Hub and one cache directory.

    The defaults are those of huggingface_hub (`HF_ENDPOINT`, `HF_HUB_CACHE`).
    """

    def __init__(self, cache_dir: Path | None = None, endpoint: str | None = None) -> None:
        self._cache_dir = cache_dir
        self._endpoint = endpoint

    @property
    def cache_dir(self) -> Path:
        """Where it keeps what it has fetched."""
        from huggingface_hub import constants

        return Path(self._cache_dir or constants.HF_HUB_CACHE)

    def pipeline(
        self,
        ref: ModelRef,
        context: Context,
        task: str | None = None,
        without: frozenset[str] = frozenset(),
    ) -> tuple[Path, str]:
        """
        Return the directory of a repository in diffusers form, and its commit.

        It lacks the weights of the components named in `without`.

        Raises ModelError, and RunCancelled. Where its pipeline can't do `task`, nothing is fetched
        but the file that says so.
        """

        def choose(names: Sequence[str]) -> list[str]:
            chosen = pipeline_files(names, ref, without)
            if allows_code(ref.repo_id):
                chosen += [name for name in names if name.endswith(".py")]
            class_name = self._class_name(ref) if task and INDEX in names else None
            if task and class_name:
                check_task(class_name, task, ref.repo_id)
            return chosen

        return self._fetch(
            ref.repo_id, ref.revision, choose, [INDEX, MODULAR_INDEX], context, context.progress
        )

    def part(self, ref: ModelRef, part: str, context: Context) -> tuple[Path, str]:
        """
        Return the directory with one part of a repository, and its commit.

        Parts are tasks of `models/components/networks.py`. Raises ModelError, RunCancelled.
        """

        def choose(names: Sequence[str]) -> list[str]:
            return part_files(names, part, ref.repo_id, ref.variant)

        return self._fetch(
            ref.repo_id, ref.revision, choose, part_probes(part), context, context.progress
        )

    def file(self, ref: ModelRef, context: Context) -> tuple[Path, str]:
        """
        Return a file of a repository (`ref.path`), and the commit. Raises ModelError, RunCancelled.
        """
        path = ref.path or ""

        def choose(names: Sequence[str]) -> list[str]:
            if path in names:
                return [path]
            from nodetool_core.errors import near_miss

            known = [name for name in names if is_safetensors(name)]
            hint = (
                near_miss(path, known)
                or f"Its safetensors files: {', '.join(known[:8]) or 'none'}."
            )
            raise ModelError(
                Problem(
                    "model_file_missing", f"{ref.repo_id}/{path}", "is not in the repository.", hint
                )
            )

        root, commit = self._fetch(
            ref.repo_id, ref.revision, choose, [glob.escape(path)], context, context.progress
        )
        return root / path, commit

    def configuration(self, repo_id: str, waiting: Cancellable) -> Path:
        """
        Return the texts of a repository without its weights.

        What a single file of the same family needs besides itself.
        """
        return self.texts(repo_id, waiting)[0]

    def texts(
        self, repo_id: str, waiting: Cancellable, revision: str | None = None
    ) -> tuple[Path, str]:
        """
        Do as `configuration` at a revision, and return the commit as well.

        Where its numbers are known here, nothing is fetched: a digest stands for the commit.
        """
        if (here := self._own_texts(repo_id, revision)) is not None:
            return here
        return self._fetch(repo_id, revision, texts_in_folders, _TEXTS, waiting, _ignore)

    def cached_texts(self, repo_id: str, revision: str | None = None) -> tuple[Path, str] | None:
        """Do as `texts`, without asking the network; None where none are in the cache."""
        _check_id(repo_id)
        return self._own_texts(repo_id, revision) or self._cached(repo_id, revision, _TEXTS)

    def _own_texts(self, repo_id: str, revision: str | None) -> tuple[Path, str] | None:
        """Return texts that are known without the repository, unless it is in the cache."""
        _check_id(repo_id)
        if revision is not None or self._cached(repo_id, None, _TEXTS) is not None:
            return None
        return own_configuration(repo_id, self.cache_dir)

    def cached(self, ref: ModelRef) -> tuple[Path, str] | None:
        """
        Return the directory in the cache that has weights for a reference, and its commit.

        None where it has none. Asks no network.

        Raises ModelError for a malformed id.
        """
        _check_id(ref.repo_id)
        return self._cached(
            ref.repo_id, ref.revision, [glob.escape(ref.path) if ref.path else "**/*.safetensors"]
        )

    def _fetch(
        self,
        repo_id: str,
        revision: str | None,
        choose: Choose,
        probes: list[str],
        waiting: Cancellable,
        progress: Progress,
    ) -> tuple[Path, str]:
        import httpx2
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import HfHubHTTPError

        _check_id(repo_id)
        api = HfApi(endpoint=self._endpoint)
        try:
            info = api.model_info(repo_id, revision=revision, timeout=_TIMEOUT)
            names = choose([sibling.rfilename for sibling in info.siblings or ()])
            waiting.check_cancelled()
            root = snapshot_download(
                repo_id,
                revision=revision,
                cache_dir=self._cache_dir,
                endpoint=self._endpoint,
                allow_patterns=[glob.escape(name) for name in names],
                tqdm_class=_bars(waiting, progress, repo_id),
            )
        except (
            HfHubHTTPError,
            httpx2.TransportError,
            ConnectionError,
            FileNotFoundError,
            TimeoutError,
        ) as error:
            refusal = _refusal(error, repo_id, revision)
            if refusal.problem.code in ("model_offline", "hub_unavailable") and (
                cached := self._cached(repo_id, revision, probes)
            ):
                return cached
            raise refusal from error
        except OSError as error:
            raise ModelError(write_problem(self._folder(repo_id), error)) from error
        return Path(root), Path(root).name

    def _class_name(self, ref: ModelRef) -> str | None:
        """
        Return the pipeline class that a repository names.

        None where it names none of diffusers, which reading its layout reports.
        """
        from huggingface_hub import hf_hub_download

        path = hf_hub_download(
            ref.repo_id,
            INDEX,
            revision=ref.revision,
            cache_dir=self._cache_dir,
            endpoint=self._endpoint,
        )
        try:
            named = json.loads(Path(path).read_text(encoding="utf-8"))["_class_name"]
        except (ValueError, LookupError, TypeError):
            return None
        return named if isinstance(named, str) else None

    def _folder(self, repo_id: str) -> Path:
        """Return where the cache has a repository."""
        from huggingface_hub.file_download import repo_folder_name

        return self.cache_dir / repo_folder_name(repo_id=repo_id, repo_type="model")

    def _cached(
        self, repo_id: str, revision: str | None, probes: list[str]
    ) -> tuple[Path, str] | None:
        """
        Return the snapshot of a revision and its commit, where a file that matches is here.

        The cache has the layout of huggingface_hub.
        """
        from huggingface_hub import constants

        folder = self._folder(repo_id)
        name = revision or constants.DEFAULT_REVISION
        branch = folder / "refs" / name
        commit = branch.read_text(encoding="utf-8").strip() if branch.is_file() else name
        root = folder / "snapshots" / commit
        return (root, commit) if any(any(root.glob(probe)) for probe in probes) else None


def _check_id(repo_id: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        hint = (
            "A Hub id is `owner/name`, of letters, digits, `-`, `_` and `.`; a path on this machine"
            " has to exist."
        )
        raise ModelError(
            Problem(
                "model_id_malformed", repo_id, "is neither a Hub id nor a path that exists.", hint
            )
        ) from error


def _refusal(error: Exception, repo_id: str, revision: str | None) -> ModelError:
    """Return what went wrong with the Hub, as one of our errors."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def refusal(code: str, message: str, hint: str) -> ModelError:
        if "/" not in repo_id:
            hint = (
                "There is no file or folder of this name here, and most Hub ids are `owner/name`."
                f" {hint}"
            )
        return ModelError(Problem(code, repo_id, message, hint))

    page = f"{constants.ENDPOINT}/{repo_id}"
    # GatedRepoError is a RepositoryNotFoundError, so it comes first.
    if isinstance(error, GatedRepoError):
        hint = f"Agree at {page}, then `hf auth login` or set HF_TOKEN."
        return refusal("model_gated", "is gated: its owner wants you to agree to terms.", hint)
    if isinstance(error, RepositoryNotFoundError):
        hint = "Check the spelling; for a private one, `hf auth login` or set HF_TOKEN."
        return refusal("model_not_found", "is no repository on the Hub that you can see.", hint)
    if isinstance(error, RevisionNotFoundError):
        return refusal(
            "model_revision_missing",
            f"has no revision {revision!r}.",
            f"Its branches and tags: {page}/tree/main.",
        )
    if isinstance(error, OfflineModeIsEnabled):
        hint = "Unset HF_HUB_OFFLINE, or use a local directory."
        return refusal(
            "model_offline", "is not in the cache, and HF_HUB_OFFLINE forbids to fetch it.", hint
        )
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code if error.response is not None else "?"
        return refusal(
            "hub_unavailable",
            f"can't be fetched: the Hub answered {status}.",
            "Try again later, or use a local directory.",
        )
    hint = (
        "Check the network, or use a local directory; the model that ships with nodetool needs no"
        " network."
    )
    return refusal(
        "model_offline", f"is not in the cache, and the Hub can't be reached ({error}).", hint
    )


def _ignore(done: int, total: int, message: str) -> None:
    return None


def _bars(waiting: Cancellable, progress: Progress, name: str) -> type[Any]:
    """
    Return a progress bar class for `snapshot_download` that reports bytes.

    Raising in it ends the download.
    """
    from tqdm import tqdm  # type: ignore[import-untyped]

    lock = threading.Lock()
    last = [0.0]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **keywords: Any) -> None:
            self._counts_bytes = (
                keywords.get("unit") == "B" and keywords.get("desc") != "Downloading bytes"
            )
            super().__init__(*args, **{**keywords, "disable": True})

        def update(self, n: float | None = 1) -> None:
            waiting.check_cancelled()
            with lock:
                self.n += n or 0
                due = self._counts_bytes and time.monotonic() - last[0] >= 0.1
                if due:
                    last[0] = time.monotonic()
            if due:
                progress(int(self.n), int(self.total or self.n), f"Fetching {name}")

    return Bar
