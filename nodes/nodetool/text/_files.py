"""Files of text, read and written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, NamedTuple

from nodes._files import FOLDER, existing_files, file_name, folder_path
from nodetool_core import Context, Field, FolderRef, Node, NodeError, Role

_MAX_BYTES: Final = 16 * 1024 * 1024


class TextFile(NamedTuple):
    text: Annotated[str, "What the file says."]
    path: Annotated[str, "Path of the file."]


class LoadTextFolder(Node):
    """
    Reads the texts of a folder one after the other, ordered by path. A file that is no text, or
    larger than 16 MiB, is left out with a warning; hidden files are not looked at.
    text, load, folder, directory, batch, stream

    Use cases:
    - Run a workflow over prompts in files
    - Read the captions that lie beside images
    """

    synonyms = ("Load Texts", "Read Text Files", "Caption Folder")

    cacheable = False

    folder: str | FolderRef = Field(
        default="",
        description="Path of the folder; a relative one starts from the workflow's folder.",
    )
    include_subdirectories: bool = Field(
        default=False, description="Whether folders in the folder are searched as well."
    )
    extensions: list[str] = Field(
        default=[".txt", ".csv", ".json", ".xml", ".md", ".html"],
        description="Endings of the files to read, in any case.",
    )
    pattern: str = Field(
        default="", description="Only files whose name matches, such as `lake_*`; empty for all."
    )

    def process(self, context: Context) -> Iterator[TextFile]:
        folder, files = existing_files(
            self.folder, context, self.include_subdirectories, self.extensions, self.pattern
        )
        unread = 0
        for file in files:
            context.check_cancelled()
            try:
                if file.stat().st_size > _MAX_BYTES:
                    raise ValueError("it is larger than 16 MiB")
                text = file.read_text(encoding="utf-8-sig")
            except (OSError, ValueError) as error:
                unread += 1
                reason = "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
                context.warn(f"Left out: {file}: {reason}.", path=str(file))
                continue
            yield TextFile(text, str(file))
        if files and unread == len(files):
            raise NodeError(
                f"None of the {unread} files in {str(folder)!r} could be read as a text.",
                "See the warnings.",
            )


class SaveTextFile(Node):
    """
    Writes a text to a new file, whole or not at all, and passes it on. Where a file of that name
    exists, -2, -3, … is added.
    text, save, file, write, export

    Use cases:
    - Keep the prompt beside the image
    - Write a caption for every image of a batch
    """

    synonyms = ("Save Text", "Write Text File", "Export Text")

    role = Role.SINK
    cacheable = False

    text: str = Field(default="", description="Text to write.")
    folder: str | FolderRef = Field(
        default="",
        description=FOLDER,
    )
    name: str = Field(
        place="file",
        default="%Y-%m-%d-%H-%M-%S.txt",
        description=(
            "Name of the file; .txt is added to one without ending. %Y, %m, %d, %H, %M, %S become"
            " date and time."
        ),
    )

    def process(self, context: Context) -> Annotated[str, "The text that was written."]:
        from nodetool_core.assets.files import write_new, write_problem

        name = file_name(self.name, ".txt")
        folder = folder_path(self.folder, context)
        try:
            write_new(folder, name, self.text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            problem = write_problem(folder / name, error)
            raise NodeError(
                f"{problem.where}: {problem.message}", problem.hint, code=problem.code
            ) from error
        return self.text
