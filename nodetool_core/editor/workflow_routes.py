"""The owner's workflow files as the page reads, writes and moves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from nodetool_core.editor.checking import check_document
from nodetool_core.editor.documents import Documents
from nodetool_core.editor.images import Side, image_beside
from nodetool_core.editor.schemas import DraftRequest, MoveRequest
from nodetool_core.errors import Problem
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.openapi import failures
from nodetool_core.server.v1.description import describe
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState


class WorkflowRoutes:
    """Answers the page about the files of workflows."""

    def __init__(
        self,
        state: AppState,
        require_session: Callable[[Request], bool],
        require_owner: Callable[[Request], None],
    ) -> None:
        """
        Take the folder that the settings name.

        Args:
            require_session: Returns whether the owner asks; raises where nobody else may.
            require_owner: Raises for everybody but the owner.
        """
        self._state = state
        self._require_session = require_session
        self._require_owner = require_owner
        self._documents = Documents(state.settings.graphs, state.settings.data)

    def add_to(self, routes: APIRouter) -> None:
        """Add the routes."""
        known = failures(401, 403, 404, 422, 429)
        table: list[tuple[str, str, Callable[..., object], int]] = [
            ("GET", "/workflows", self.workflows, 200),
            ("GET", "/workflows/{name:path}/document", self.document, 200),
            ("PUT", "/workflows/{name:path}/document", self.save, 200),
            ("GET", "/workflows/{name:path}/files", self.beside, 200),
            ("GET", "/workflows/{name:path}/draft", self.draft, 200),
            ("PUT", "/workflows/{name:path}/draft", self.keep_draft, 204),
            ("DELETE", "/workflows/{name:path}/draft", self.drop_draft, 204),
            ("POST", "/workflows/{name:path}/move", self.move, 204),
            ("GET", "/workflows/{name:path}/versions", self.versions, 200),
            ("GET", "/workflows/{name:path}/versions/{version}", self.version, 200),
            ("DELETE", "/workflows/{name:path}", self.delete, 204),
            ("GET", "/places", self.places, 200),
        ]
        for method, path, work, status in table:
            routes.add_api_route(
                path,
                work,
                methods=[method],
                status_code=status,
                response_model=None,
                responses=known,
            )

    def place(self, name: str | None) -> tuple[Path, tuple[str, ...]]:
        """Return the folder that a workflow's paths start from, and its file."""
        if not name:
            return self._documents.folder.absolute(), ()
        path = self._documents.path(name).absolute()
        return path.parent, (str(path.resolve()),)

    def workflows(self, request: Request) -> JsonObject:
        """Return every workflow, with JSON Schema of its inputs and outputs."""
        is_owner = self._require_session(request)
        catalog = self._state.catalog
        if is_owner:
            catalog.refresh()
        rows = []
        for served in catalog:
            path = self._documents.folder / f"{served.name}.json"
            row: JsonObject = describe(served).model_dump(mode="json")
            modified = path.stat().st_mtime if path.is_file() else 0.0
            rows.append(row | {"modified": modified, "etag": "", "thumbnail": None})
        problems = {
            name: [problem.to_json() for problem in found]
            for name, found in catalog.problems.items()
        }
        return {"workflows": rows, "problems": problems}

    def document(self, request: Request, name: str) -> Response:
        """Return a workflow's file as it is, with its ETag."""
        self._require_owner(request)
        stored = self._documents.read(name)
        return Response(
            stored.text,
            media_type="application/json",
            headers={"ETag": stored.etag, "Cache-Control": "no-cache"},
        )

    def beside(
        self,
        request: Request,
        name: str,
        path: Annotated[str, Query(max_length=4000)],
        side: Side = None,
    ) -> Response:
        """Return an image beside a workflow's file."""
        self._require_owner(request)
        return image_beside(self._documents.path(name).parent, path, side)

    def save(
        self,
        request: Request,
        name: str,
        document: Annotated[dict[str, Any], Body()],
        if_match: Annotated[str | None, Header()] = None,
    ) -> JsonObject:
        """
        Write a workflow's file, also one with mistakes, which the answer lists.

        412 where the file is another than `If-Match` names, or exists where none was named.
        """
        self._require_owner(request)
        read = WorkflowDocument.from_json(document)
        etag = self._documents.write(name, read.to_bytes(), if_match)
        self._documents.drop_draft(name)
        self._state.catalog.refresh()
        base, inside = self.place(name)
        found = check_document(self._state.engine, read, base=base, inside=inside)
        return {"etag": etag, "problems": list(found.problems)}

    def draft(self, request: Request, name: str) -> Response:
        """Return what has not been saved; null where there is nothing."""
        self._require_owner(request)
        return JSONResponse(self._documents.draft(name))

    def keep_draft(self, request: Request, name: str, given: DraftRequest) -> Response:
        """Keep what has not been saved."""
        self._require_owner(request)
        self._documents.write_draft(name, given.document, given.etag)
        return Response(status_code=204)

    def drop_draft(self, request: Request, name: str) -> Response:
        """Forget what has not been saved."""
        self._require_owner(request)
        self._documents.drop_draft(name)
        return Response(status_code=204)

    def move(self, request: Request, name: str, given: MoveRequest) -> Response:
        """Rename a workflow."""
        self._require_owner(request)
        self._documents.move(name, given.to)
        self._state.catalog.refresh()
        return Response(status_code=204)

    def delete(self, request: Request, name: str) -> Response:
        """Remove a workflow's file; what it held stays among its versions."""
        self._require_owner(request)
        self._documents.delete(name)
        self._state.catalog.refresh()
        return Response(status_code=204)

    def versions(self, request: Request, name: str) -> JsonObject:
        """Return what a workflow's file held before, the newest first."""
        self._require_owner(request)
        return {"versions": [version._asdict() for version in self._documents.versions(name)]}

    def version(self, request: Request, name: str, version: str) -> Response:
        """Return one of the versions."""
        self._require_owner(request)
        return Response(self._documents.version(name, version), media_type="application/json")

    def places(self, request: Request, path: Annotated[str, Query(max_length=4000)] = "") -> Any:
        """Return folders and files below the folder of workflows."""
        self._require_owner(request)
        root = self._state.settings.graphs.resolve()
        here = (root / path).resolve()
        if not here.is_relative_to(root) or not here.is_dir():
            raise HttpError(
                404,
                Problem(
                    "missing_file",
                    "path",
                    f"{path[:200]!r} is no folder below that of the workflows.",
                    "Choose one that is listed.",
                ),
            )
        shown = here.relative_to(root).as_posix()
        inside = sorted(one for one in here.iterdir() if not one.name.startswith("."))
        return {
            "path": "" if shown == "." else shown,
            "parent": None if here == root else here.parent.relative_to(root).as_posix(),
            "folders": [one.name for one in inside if one.is_dir()],
            "files": [
                {"name": one.name, "size": one.stat().st_size} for one in inside if one.is_file()
            ],
        }
