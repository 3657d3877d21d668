"""The owner's workflow files as the page reads, writes and moves them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import Body, Header, Query
from starlette.responses import Response

from nodetool_core.editor.answers import (
    DraftAnswer,
    MovedAnswer,
    PathChange,
    PlacesAnswer,
    RelocateAnswer,
    SavedAnswer,
    VersionInfo,
    VersionsAnswer,
)
from nodetool_core.editor.checking import check_document
from nodetool_core.editor.documents import Documents
from nodetool_core.editor.places import listing
from nodetool_core.editor.routing import Row, bytes_of, json_of
from nodetool_core.editor.schemas import DraftRequest, MoveRequest, RelocateRequest
from nodetool_core.pack_versions import with_versions
from nodetool_core.relocating import relocated_file, relocations
from nodetool_core.server.http.openapi import images_content
from nodetool_core.server.http.thumbnails import Quiet, Side, image_beside, or_nothing
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState


class WorkflowRoutes:
    """Answers the page about the files of workflows."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._documents = Documents(state.settings.graphs, state.settings.data)

    @property
    def table(self) -> list[Row]:
        """All routes, below /v1."""
        name = "/workflows/{name:path}"
        return [
            Row("GET", f"{name}/document", self.document, answers=json_of()),
            Row("PUT", f"{name}/document", self.save),
            Row("GET", f"{name}/files", self.beside, answers=bytes_of(images_content())),
            Row("GET", f"{name}/draft", self.draft),
            Row("PUT", f"{name}/draft", self.keep_draft, 204),
            Row("DELETE", f"{name}/draft", self.drop_draft, 204),
            Row("POST", f"{name}/move", self.move),
            Row("GET", f"{name}/versions", self.versions),
            Row("GET", f"{name}/versions/{{version}}", self.version, answers=json_of()),
            Row("DELETE", name, self.delete, 204),
            Row("GET", "/places", self.places),
            Row("POST", "/relocate", self.relocate),
        ]

    def place(self, name: str | None) -> tuple[Path, tuple[str, ...]]:
        """Return the folder that a workflow's paths start from, and its file."""
        if not name:
            return self._documents.folder.absolute(), ()
        path = self._documents.path(name).absolute()
        return path.parent, (str(path.resolve()),)

    def document(self, name: str) -> Response:
        """Return a workflow's file as it is, with its ETag."""
        stored = self._documents.read(name)
        return Response(
            stored.text,
            media_type="application/json",
            headers={"ETag": stored.etag, "Cache-Control": "no-cache"},
        )

    def beside(
        self,
        name: str,
        path: Annotated[str, Query(max_length=4000)],
        side: Side = None,
        quiet: Quiet = False,
    ) -> Response:
        """Return an image that a workflow's file names, below the folder of all workflows."""
        folder = self._documents.path(name).parent
        return or_nothing(
            lambda: image_beside(folder, path, side, below=self._documents.folder), quiet
        )

    def save(
        self,
        name: str,
        document: Annotated[dict[str, object], Body()],
        if_match: Annotated[str | None, Header()] = None,
    ) -> SavedAnswer:
        """
        Write a workflow's file, also one with mistakes, which the answer lists.

        412 where the file is another than `If-Match` names, or exists where none was named.
        """
        read = WorkflowDocument.from_json(document)
        written = read
        # A file that goes without versions stays as it is, to the byte where nothing is changed.
        if if_match is None or read.packs or self._documents.names_packs(name):
            written = with_versions(read, self._state.engine.registry)
        etag = self._documents.write(name, written.to_bytes(), if_match)
        self._documents.drop_draft(name)
        base, inside = self.place(name)
        found = check_document(self._state.engine, read, base=base, inside=inside)
        # Last: the page learns at once that addresses of the workflow may be others.
        self._state.catalog.refresh()
        return SavedAnswer(etag=etag, problems=found.problems)

    def draft(self, name: str) -> DraftAnswer | None:
        """Return what has not been saved; null where there is nothing."""
        found = self._documents.draft(name)
        return None if found is None else DraftAnswer.model_validate(found)

    def keep_draft(self, name: str, given: DraftRequest) -> Response:
        """Keep what has not been saved."""
        self._documents.write_draft(name, given.document, given.etag)
        return Response(status_code=204)

    def drop_draft(self, name: str) -> Response:
        """Forget what has not been saved."""
        self._documents.drop_draft(name)
        return Response(status_code=204)

    def move(self, name: str, given: MoveRequest) -> MovedAnswer:
        """Rename a workflow. In another folder its relative paths lead to the same files."""
        before, after = self.place(name)[0], self.place(given.to)[0]

        def change(text: bytes) -> bytes:
            return relocated_file(text, self._state.registry, before, after)

        etag = self._documents.move(name, given.to, change)
        self._state.catalog.refresh()
        return MovedAnswer(etag=etag)

    def relocate(self, given: RelocateRequest) -> RelocateAnswer:
        """Return which relative paths change where nodes go into a workflow of another folder."""
        before, after = self.place(given.before)[0], self.place(given.after)[0]
        found = relocations(given.nodes, self._state.registry, before, after)
        return RelocateAnswer(
            changes=[
                PathChange(node=one.node, place=[*one.place], value=one.value) for one in found
            ]
        )

    def delete(self, name: str) -> Response:
        """Remove a workflow's file; what it held stays among its versions."""
        self._documents.delete(name)
        self._state.catalog.refresh()
        return Response(status_code=204)

    def versions(self, name: str) -> VersionsAnswer:
        """Return what a workflow's file held before, the newest first."""
        return VersionsAnswer(
            versions=[
                VersionInfo.model_validate(version._asdict())
                for version in self._documents.versions(name)
            ]
        )

    def version(self, name: str, version: str) -> Response:
        """Return one of the versions."""
        return Response(self._documents.version(name, version), media_type="application/json")

    def places(self, path: Annotated[str, Query(max_length=4000)] = "") -> PlacesAnswer:
        """Return folders and files below the folder of workflows, at most 2,000 of each folder."""
        return listing(self._state.settings.graphs, path)
