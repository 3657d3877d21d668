"""The models on this machine as the page lists, fetches and removes them."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from nodetool_core.context import Context, Reporter
from nodetool_core.editor.answers import (
    LocalModelAnswer,
    LocalModelsAnswer,
    PullAnswer,
    RemovedModel,
)
from nodetool_core.editor.routing import Row
from nodetool_core.editor.schemas import PullRequest
from nodetool_core.errors import ModelError, NodetoolError, Problem, RunCancelled, near_miss
from nodetool_core.models.diffusers.tasks import tasks_of
from nodetool_core.models.sources.local_models import LocalModel, local_models, ref_of, removal
from nodetool_core.server.http.http_errors import HttpError, as_http, busy, public

if TYPE_CHECKING:
    from nodetool_core.editor.events import Watch
    from nodetool_core.references import ModelRef
    from nodetool_core.server.runtime.app_state import AppState

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 4
"""Models that are fetched at once; more are answered with 429."""

_SHOWN_SECONDS: Final = 0.3
"""How often a page learns how far a fetch is."""


@dataclass
class Pull:
    """A model that is being fetched."""

    id: str
    bytes: int = 0
    total: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)


class _PullReporter(Reporter):
    """Notes how much of a model is here."""

    def __init__(self, pull: Pull) -> None:
        self._pull = pull

    def progress(self, step: int, total: int, message: str) -> None:
        self._pull.bytes, self._pull.total = step, total


class ModelRoutes:
    """Answers the page about models. Safe to use from many threads."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._resolver = state.models.resolver
        self._pulls: dict[str, Pull] = {}
        self._ended: list[Mapping[str, object]] = []
        """What became of each pull, in order: an event for every page."""
        self._lock = threading.Lock()

    @property
    def table(self) -> list[Row]:
        """The routes for the owner, below /v1."""
        return [
            Row("GET", "/local-models", self.models),
            Row("POST", "/local-models/pull", self.pull, 202),
            Row("DELETE", "/local-models/pull/{model:path}", self.stop, 204),
            Row("DELETE", "/local-models/{model:path}", self.remove),
        ]

    def models(self) -> LocalModelsAnswer:
        """Return the models on this machine, and what is known of each; nothing is loaded."""
        devices: dict[str, list[str]] = {}
        for one in self._state.models.loaded():
            devices.setdefault(one.name, []).append(one.device)
        users = self._users()
        return LocalModelsAnswer(
            models=[
                _described(model, devices.get(model.name, []), users.get(model.name, []))
                for model in self._models()
            ]
        )

    def pull(self, wanted: PullRequest) -> PullAnswer:
        """
        Fetch a model from the Hub into this machine's cache, resumably.

        The stream of events has how far it is, and what became of it. 429 where four are under way.
        """
        ref = ref_of(wanted.id, variant=wanted.variant, path=wanted.path, revision=wanted.revision)
        with self._lock:
            if ref.repo_id not in self._pulls:
                if len(self._pulls) >= _AT_ONCE:
                    raise busy(f"{_AT_ONCE} models are being fetched already.")
                pull = self._pulls[ref.repo_id] = Pull(ref.repo_id)
                threading.Thread(target=self._fetch, args=(ref, pull), daemon=True).start()
        return PullAnswer(id=ref.repo_id)

    def stop(self, model: str) -> Response:
        """Stop fetching a model; what is here already is used when it is fetched again."""
        pull = self._pulls.get(model)
        if pull is not None:
            pull.stopped.set()
        return Response(status_code=204)

    def remove(self, model: str) -> RemovedModel:
        """
        Remove a model from the Hub's cache. Files that other models share stay.

        409 for one that ships with a pack, or is being fetched.
        """
        models = {one.name: one for one in self._models()}
        found = models.get(ref_of(model).repo_id)
        if found is None:
            hint = near_miss(model, models) or "The list of models has those that are."
            raise HttpError(
                404, Problem("model_not_here", model[:200], "is not on this machine.", hint)
            )
        if found.source == "pack" or found.name in self._pulls:
            why = "is being fetched" if found.name in self._pulls else "ships with a pack"
            problem = Problem("model_ships", found.name, f"{why}.", "It can't be removed here now.")
            raise HttpError(409, problem)
        size, remove = removal(found, found.revisions, self._cache)
        remove()
        self._resolver.forget(found.name)
        self._report({"event": "models_changed"})
        return RemovedModel(id=found.name, bytes=size)

    def begin(self) -> Watch:
        """Return what tells of pulls from now on, beginning with those under way."""
        seen, shown, last = len(self._ended), dict[str, tuple[int, int]](), 0.0

        def news() -> list[Mapping[str, object]]:
            nonlocal seen, last
            ended = self._ended[seen:]
            seen += len(ended)
            if not ended and time.monotonic() - last < _SHOWN_SECONDS:
                return []
            last = time.monotonic()
            found: list[Mapping[str, object]] = []
            for pull in [*self._pulls.values()]:
                state = (pull.bytes, pull.total)
                if shown.get(pull.id) != state:
                    shown[pull.id] = state
                    found.append(_progress(pull))
            for event in ended:
                shown.pop(str(event.get("id")), None)
            return found + ended

        return news

    def _fetch(self, ref: ModelRef, pull: Pull) -> None:
        event: dict[str, object] = {"event": "models_changed", "id": pull.id, "state": "failed"}
        stopped = _Either(pull.stopped, self._state.draining)
        context = Context(
            "pull",
            reporter=_PullReporter(pull),
            cancelled=stopped,
            images=None,  # type: ignore[arg-type]
            models=None,  # type: ignore[arg-type]
        )
        try:
            self._resolver.resolve(ref, context)
            event["state"] = "done"
        except RunCancelled:
            event["state"] = "cancelled"
        except Exception as error:  # noqa: BLE001 - the page shows it, whatever it was
            if not isinstance(error, NodetoolError):
                _log.exception("A model could not be fetched.")
            event["problem"] = public(as_http(error).problem).to_json()
        finally:
            with self._lock:
                del self._pulls[pull.id]
            self._report(event)

    def _report(self, event: Mapping[str, object]) -> None:
        with self._lock:
            self._ended.append(event)

    @property
    def _cache(self) -> Path:
        return self._resolver.hub.cache_dir

    def _models(self) -> list[LocalModel]:
        return local_models(self._state.registry.weights(), self._cache)

    def _users(self) -> dict[str, list[str]]:
        """Return the workflows that name each model."""
        found: dict[str, list[str]] = {}
        for served in self._state.catalog:
            for name in {ref.repo_id for ref in served.models}:
                found.setdefault(name, []).append(served.name)
        return found


class _Either:
    """Stops where one of two does."""

    def __init__(self, *events: threading.Event) -> None:
        self._events = events

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)


def _progress(pull: Pull) -> Mapping[str, object]:
    return {
        "event": "models_changed", "id": pull.id, "bytes": pull.bytes, "total": pull.total,
    }  # fmt: skip


def _described(model: LocalModel, devices: list[str], users: list[str]) -> LocalModelAnswer:
    folder = next(iter(reversed(model.directories)), None)
    class_name = _class_name(folder)
    return LocalModelAnswer(
        id=model.name,
        tasks=_tasks(class_name),
        on_disk=not model.gaps,
        gaps=model.gaps,
        loaded=bool(devices),
        devices=devices,
        used=model.used,
        size=model.bytes,
        family=class_name.removesuffix("Pipeline"),
        licence=_licence(folder),
        ships=model.source == "pack",
        used_by=users,
    )


def _class_name(folder: Path | None) -> str:
    """Return the pipeline class that a folder names; empty where it is no pipeline."""
    try:
        content = json.loads((folder / "model_index.json").read_bytes()) if folder else {}
    except (OSError, ValueError):
        return ""
    name = content.get("_class_name") if isinstance(content, dict) else None
    return name if isinstance(name, str) else ""


def _tasks(class_name: str) -> list[str]:
    try:
        return tasks_of(class_name) if class_name else []
    except ModelError:
        return []


def _licence(folder: Path | None) -> str:
    """Return the licence that a model's card names; empty where it has none."""
    try:
        lines = (folder / "README.md").read_text("utf-8").splitlines() if folder else []
    except (OSError, ValueError):
        return ""
    if lines[:1] != ["---"] or "---" not in lines[1:]:
        return ""
    for line in lines[1 : lines.index("---", 1)]:
        name, _, value = line.partition(":")
        if name in ("license", "license_name"):
            return value.strip().strip("\"'")
    return ""
