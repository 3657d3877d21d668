"""
From a model reference to files on this machine.

In this order: weights that ship with a pack, by their id; a path that exists (a directory in
diffusers form, a single file, or `path` inside a directory); a file in the folders of models, also
under the name that a Hub repository has for it; a Hub id. What a reference stood for is recorded as
a revision: the commit on the Hub, or a digest of the local files.
"""

from __future__ import annotations

import os
import re
import threading
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ModelError, Problem, nearest_file
from nodetool_core.models.sources.assembled import assembled
from nodetool_core.models.sources.file_digests import FileDigests, file_state
from nodetool_core.models.sources.file_formats import is_weights, refuse_pickle
from nodetool_core.models.sources.hub import Hub
from nodetool_core.models.sources.model_folders import ModelFolders
from nodetool_core.models.sources.modular_repository import with_components
from nodetool_core.models.sources.pickles import is_pickled, pickled
from nodetool_core.models.sources.priors import CARD, INDEX, named_prior, prior_refused
from nodetool_core.models.sources.repository_files import NETWORK, part_of
from nodetool_core.models.sources.repository_layout import incomplete
from nodetool_core.models.sources.resolved import ResolvedModel
from nodetool_core.models.sources.single_components import configured
from nodetool_core.references import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nodetool_core.context import Context
    from nodetool_core.models.sources.allowlist import ModelAllowlist

_Key = tuple[object, ...]

_VAE_ALONE = f"{NETWORK}:vae"

_GENERIC: Final = re.compile(
    r"(?:model|vae|unet|diffusion_pytorch_model|pytorch_lora_weights|adapter_model|weights)"
    r"(?:[.-].*)?"
)
"""Names of files that mean another one in each repository."""


class Resolver:
    """
    Resolves references.

    A Hub id keeps the commit of its first use for as long as the resolver lives.
    """

    def __init__(
        self,
        weights: Mapping[str, Path] | None = None,
        hub: Hub | None = None,
        allowlist: ModelAllowlist | None = None,
        folders: ModelFolders | None = None,
    ) -> None:
        self.weights = dict(weights or {})
        self.hub = hub or Hub()
        self.folders = folders or ModelFolders()
        self._allowlist = allowlist
        self._fetched: dict[_Key, ResolvedModel] = {}
        self._shipped: dict[str, ResolvedModel] = {}
        """
        What packs brought along, looked at once.

        Like their code, it stays as it is while the process runs.
        """
        self._digests = FileDigests()
        self._priors: dict[Path, tuple[_Key, str | None]] = {}
        """What the cards name, by place, with the state of the files that say it."""
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Begin anew in a forked process, where nobody is looking anything up."""
        self._lock = threading.Lock()
        self._digests.after_fork()

    def resolve(self, ref: ModelRef, context: Context, task: str | None = None) -> ResolvedModel:
        """
        Return the files behind a reference, and of a decoder's prior.

        Fetched where they are not here yet, bytes are reported to `context`.

        `task` is what they are wanted for: one of a pipeline, which is refused before it is fetched
        where it can't do that, or one of `models/components/networks.py`.

        Raises ModelError with a code per cause (`model_gated`, `model_not_found`, `model_offline`,
        …), and RunCancelled.
        """
        if ref.parts and part_of(task) is None:
            return self._in_parts(ref, context, task)
        base = ""
        if task == _VAE_ALONE and ref.vae is not None:
            base, ref = ref.repo_id, ref.vae
        own = self._own(ref, context, task)
        if own.kind == "file" and task in (NETWORK, _VAE_ALONE):
            return self._configured(own, task, context, base)
        if part_of(task) is not None:
            return own
        found = self._with_prior(own, ref, lambda prior: self._own(prior, context))
        assert found is not None
        whole = with_components(found, lambda one, part: self._own(one, context, part))
        assert whole is not None
        return whole

    def _configured(
        self, file: ResolvedModel, task: str, context: Context, base: str
    ) -> ResolvedModel:
        """Return a component in a file with its configuration, fetched where it is not here yet."""
        folder = Path(os.path.expanduser(base))  # noqa: PTH111

        def texts(repo_id: str, revision: str | None = None) -> tuple[Path, str]:
            if repo_id == base and folder.is_dir():
                return folder.resolve(), self._digests.digest(folder)
            return self.hub.texts(repo_id, context, revision)

        found = configured(file, task, texts, "" if folder.is_file() else base)
        assert found is not None
        return found

    def _in_parts(self, ref: ModelRef, context: Context, task: str | None) -> ResolvedModel:
        """Return the files of a reference in parts, fetched where they are not here yet."""
        found = assembled(
            ref,
            self.local,
            lambda one, part=None, without=frozenset(): self._own(
                one, context, part or task, without
            ),
            lambda repo_id, revision=None: self.hub.texts(repo_id, context, revision),
        )
        assert found is not None
        return found

    def forget(self, repo_id: str) -> None:
        """Look anew for a model of the Hub: its files were removed."""
        with self._lock:
            for key in [key for key in self._fetched if key[0] == repo_id]:
                del self._fetched[key]

    def here(self, ref: ModelRef) -> ResolvedModel | None:
        """
        Return the files of a pipeline that are on this machine already.

        None where they would be fetched. Asks no network.
        """
        if ref.parts:
            return assembled(
                ref,
                self.local,
                lambda one, part=None, without=frozenset(): self._already(one, part, without),
                self.hub.cached_texts,
            )
        own = self._already(ref)
        found = self._with_prior(own, ref, self._already) if own else None
        return with_components(found, self._already) if found else None

    def local(self, ref: ModelRef) -> ResolvedModel | None:
        """
        Return the files behind a reference that needs no Hub; None for a Hub id.

        Raises ModelError for a path that isn't there.
        """
        name = ref.repo_id or ref.path or ""
        if not name:
            raise ModelError(
                Problem(
                    "model_empty",
                    "model",
                    "names no model.",
                    "Set it to a Hub id, a directory, or a safetensors file.",
                )
            )
        if self._allowlist is not None:
            self._allowlist.check(ref)
        if name in self.weights:
            if name not in self._shipped:
                self._shipped[name] = self._at(self.weights[name], name, ref)
            return replace(self._shipped[name], variant=ref.variant)
        # Not Path's own: that one fails where there is no such user.
        path = Path(os.path.expanduser(name))  # noqa: PTH111
        if path.exists():
            if ref.path and ref.repo_id:
                path, name = path / ref.path, f"{name}/{ref.path}"
            if not path.exists():
                raise _missing(path, name)
            return self._at(path, name, ref)
        listed = self.folders.find(name, ref.type) or self._of_the_hub(ref)
        if listed is not None:
            return self._at(listed, name, ref)
        if name.lower().startswith(("http://", "https://")):
            hint = "Give a Hub id, or download the .safetensors file and give its path."
            raise ModelError(
                Problem(
                    "model_id_malformed",
                    name,
                    "is the address of a page that models are not fetched from.",
                    hint,
                )
            )
        if _looks_like_path(name) or path.is_symlink():
            raise _missing(path, name)
        return None

    def _of_the_hub(self, ref: ModelRef) -> Path | None:
        """
        Return the file of a Hub repository that the folders of models have under its own name.

        Not for one of a revision, nor for names that mean another file in each repository.
        """
        name = PurePosixPath(ref.path or "").name
        if not ref.repo_id or ref.revision or not name or _GENERIC.fullmatch(name):
            return None
        try:
            return self.folders.find(name, ref.type)
        except ModelError:
            # Several files of the name, or a pickle: the repository's own is what is named.
            return None

    def revision(self, ref: ModelRef) -> str | None:
        """
        Return which weights a reference stands for now, without asking the network.

        None where none are on this machine.

        Of a decoder whose prior is not here, or can't be had, the decoder's alone. Raises
        ModelError for a path that isn't there, and for a model that is not listed.
        """
        if ref.parts:
            found = assembled(
                ref,
                self.local,
                lambda one, part=None, without=frozenset(): self._cached(one),
                self.hub.cached_texts,
            )
            return found.revision if found else None
        own = self._cached(ref)
        if own is None:
            return None
        try:
            found = self._with_prior(own, ref, self._cached) or own
            return (with_components(found, lambda one, part: self._cached(one)) or own).revision
        except ModelError:
            # Whoever uses both gets the error; a part of the decoder can do without.
            return own.revision

    def _with_prior(
        self, own: ResolvedModel, ref: ModelRef, find: Callable[[ModelRef], ResolvedModel | None]
    ) -> ResolvedModel | None:
        """
        Return a model with its prior as `find` finds it, where it has one.

        None where that finds nothing.
        """
        named = self._named_prior(own)
        if named is None:
            return own
        try:
            prior = find(ModelRef(repo_id=named, variant=ref.variant))
            if prior is None:
                return None
            if prior.kind == "file":
                raise ModelError(
                    Problem(
                        "model_not_diffusers",
                        named,
                        "is a single file, and no prior.",
                        "Correct `prior` in the card.",
                    )
                )
        except ModelError as error:
            raise prior_refused(own.name, named, error) from error
        called = replace(prior, name=f"{named}, the prior of {own.name}")
        return replace(own, revision=f"{own.revision}+{prior.revision}", prior=called)

    def _named_prior(self, own: ResolvedModel) -> str | None:
        """
        Return what `priors.named_prior` says.

        The files are read again only when one of them has changed.
        """
        if own.kind == "file":
            return None
        state = (file_state(f"{own.path}/{INDEX}"), file_state(f"{own.path}/{CARD}"))
        with self._lock:
            known = self._priors.get(own.path)
        if known is not None and known[0] == state:
            return known[1]
        named = named_prior(own.path, own.name)
        with self._lock:
            self._priors[own.path] = (state, named)
        return named

    # -- one model, without what goes with it ------------------------------------------------------

    def _own(
        self,
        ref: ModelRef,
        context: Context,
        task: str | None = None,
        without: frozenset[str] = frozenset(),
    ) -> ResolvedModel:
        """
        Return the files behind a reference, fetched where they are not here yet.

        Of a pipeline without the weights of some components.
        """
        local = self.local(ref)
        if local is not None:
            return local
        part = part_of(task)
        key = (*_key(ref), part, without)
        with self._lock:
            known = self._fetched.get(key)
        if known is not None and known.path.exists():
            return known
        if ref.path:
            _refuse_pickle(ref.path, f"{ref.repo_id}/{ref.path}")
            path, commit = self.hub.file(ref, context)
            resolved = ResolvedModel(f"{ref.repo_id}/{ref.path}", path, "file", commit, ref.variant)
        elif part is not None:
            path, commit = self.hub.part(ref, part, context)
            resolved = ResolvedModel(ref.repo_id, path, "directory", commit, ref.variant)
        else:
            path, commit = self.hub.pipeline(ref, context, task, without)
            resolved = ResolvedModel(ref.repo_id, path, "directory", commit, ref.variant)
        with self._lock:
            self._fetched[key] = resolved
        return resolved

    def _already(
        self, ref: ModelRef, part: str | None = None, without: frozenset[str] = frozenset()
    ) -> ResolvedModel | None:
        """
        Return the files of a pipeline that need not be fetched any more.

        None where they have to be.
        """
        local = self.local(ref)
        if local is not None:
            return local
        with self._lock:
            return self._fetched.get((*_key(ref), part, without))

    def _cached(self, ref: ModelRef) -> ResolvedModel | None:
        """Do as `_already`, with what was fetched as a part, or by others into the Hub's cache."""
        known = self._already(ref)
        if known is not None:
            return known
        with self._lock:
            known = next(
                (found for key, found in self._fetched.items() if key[:-2] == _key(ref)), None
            )
        if known is not None:
            return known
        cached = self.hub.cached(ref)
        return (
            ResolvedModel(
                ref.repo_id, cached[0], "file" if ref.path else "directory", cached[1], ref.variant
            )
            if cached
            else None
        )

    def _at(self, path: Path, name: str, ref: ModelRef) -> ResolvedModel:
        if not path.exists():
            hint = "Install nodetool again: the files that ship with it are not complete."
            raise ModelError(
                Problem(
                    "model_path_missing", name, f"ships with a pack, but {path} is not there.", hint
                )
            )
        if path.is_dir():
            return ResolvedModel(
                name, path.resolve(), "directory", self._digests.digest(path), ref.variant
            )
        refuse_pickle(path, name)
        if not is_weights(path.name):
            raise ModelError(
                Problem(
                    "model_not_safetensors",
                    name,
                    "is no safetensors or GGUF file.",
                    "Give a .safetensors or .gguf file, or a directory.",
                )
            )
        return ResolvedModel(name, path.resolve(), "file", self._digests.digest(path), ref.variant)


def _key(ref: ModelRef) -> _Key:
    patterns = (tuple(ref.allow_patterns or ()), tuple(ref.ignore_patterns or ()))
    return (ref.repo_id, ref.path, ref.variant, ref.revision, *patterns)


def _looks_like_path(name: str) -> bool:
    return (
        name.startswith(("/", "./", "../", "~", ".\\", "..\\"))
        or "\\" in name
        or is_weights(name)
        or is_pickled(name)
    )


def _refuse_pickle(file: str, name: str) -> None:
    if is_pickled(file):
        raise pickled(name, "is a pickled file")


def _missing(path: Path, name: str) -> ModelError:
    """
    Return the refusal of a path that isn't there, or of a link to such a one.

    It has the nearest name beside the path.
    """
    if path.is_symlink():
        return incomplete(
            name,
            f"it is a link to {path.readlink()}, which is not there: its download was stopped, or"
            " the file was deleted",
        )
    existing = path
    while not existing.parent.is_dir():
        existing = existing.parent
    parent = existing.parent
    meant = nearest_file(existing.name, sorted(entry.name for entry in parent.iterdir()))
    hint = f"Did you mean {meant!r}?" if meant else "Check the path."
    return ModelError(
        Problem(
            "model_path_missing",
            name,
            f"does not exist: there is no {existing.name!r} in {parent.resolve()}.",
            hint,
        )
    )
