"""
Folders of models as other tools have them, so that names from their workflows are found.

A folder is one of ComfyUI or of the A1111 web UI, or the folder `models` inside of it; or it has an
`extra_model_paths.yaml`, or is one, and then what that names counts as well. Each has a place for
every category: checkpoints, diffusion models, text encoders, VAEs, LoRAs and so on. A name is
looked for in the categories that its reference asks for: as a path below the place, without its
suffix, and last as a file of that name in any folder below. Nothing is copied, and no name leads
out of the places.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.file_formats import is_weights
from nodetool_core.models.sources.gguf_header import SUFFIX as GGUF
from nodetool_core.models.sources.headers import SUFFIXES as SAFETENSORS
from nodetool_core.models.sources.pickles import PICKLED, is_pickled

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTRA_PATHS: Final = "extra_model_paths.yaml"

_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "checkpoints": ("checkpoints", "stable-diffusion"),
    "diffusion_models": ("diffusion_models", "unet", "unet_gguf"),
    "text_encoders": ("text_encoders", "clip", "text_encoder", "clip_gguf"),
    "vae": ("vae",),
    "loras": ("loras", "lora", "lycoris"),
    "controlnet": ("controlnet", "t2i_adapter"),
    "embeddings": ("embeddings",),
    "upscale_models": ("upscale_models", "esrgan", "realesrgan"),
    "ipadapter": ("ipadapter",),
    "clip_vision": ("clip_vision",),
}
"""Category to what its folders are called, in any case."""

_WANTED: Final[Mapping[str, tuple[str, ...]]] = {
    "hf.denoiser": ("diffusion_models", "checkpoints"),
    "hf.text_encoder": ("text_encoders", "checkpoints"),
    "hf.vae": ("vae", "checkpoints"),
    "hf.lora": ("loras",),
    "hf.controlnet": ("controlnet",),
    "hf.real_esrgan": ("upscale_models",),
    "hf.ip_adapter": ("ipadapter",),
    "hf.embedding": ("embeddings",),
}
"""Kind of a reference to the categories that it is looked for in, in this order; others in all."""

_MODELS: Final = ("models", "Models")
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file of weights in a folder of models."""

    name: str
    """Its path below the place of its category, as workflows name it."""
    category: str
    path: Path


class ModelFolders:
    """Places of models by category. Reads the disk each time: files come and go."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """
        Find the places in folders.

        Raises ModelError for a folder that is not there, and a file of paths that can't be read.
        """
        self.places: dict[str, list[Path]] = {category: [] for category in _PLACES}
        for folder in folders:
            self._add(folder.expanduser())

    def find(self, name: str, kind: str) -> Path | None:
        """
        Return the file that a workflow calls `name`; None where the folders have none.

        Args:
            kind: What the reference is of, such as `hf.lora`.

        Raises ModelError for a name that leads out of its place, one that means several files, a
        pickle, and a link that leads in a circle.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        places = [
            place
            for category in _WANTED.get(kind, tuple(_PLACES))
            for place in self.places[category]
        ]
        if not places or wanted.is_absolute():
            return None
        if ".." in wanted.parts:
            raise _outside(name)
        names = _spellings(wanted)
        for place in places:
            for one in names:
                if _is_there(place / one, name):
                    return place / one
        return self._below(places, [PurePosixPath(one).name for one in names], name)

    def files(self, *categories: str) -> Iterator[FolderFile]:
        """
        Yield the files of weights, pickles too, in the order of their names.

        Args:
            categories: Those whose places are looked into; all where none is named.
        """
        for category in categories or self.places:
            for place in self.places[category]:
                for path in sorted(_walk(place)):
                    if is_weights(path.name) or is_pickled(path.name):
                        yield FolderFile(path.relative_to(place).as_posix(), category, path)

    def _below(self, places: Sequence[Path], names: Sequence[str], asked: str) -> Path | None:
        """Return the one file of a name in any folder below the places."""
        found = [path for place in places for path in _walk(place) if path.name in names]
        if len({path.resolve() for path in found}) > 1:
            shown = ", ".join(str(path) for path in found[:_SHOWN])
            message = f"means {len(found)} files: {shown}."
            hint = "Name it with its folder, as in 'sdxl/name.safetensors'."
            raise ModelError(Problem("model_file_ambiguous", asked, message, hint))
        return found[0] if found else None

    def _add(self, folder: Path) -> None:
        if folder.is_file() and folder.suffix.lower() in (".yaml", ".yml"):
            self._add_paths(folder)
            return
        if not folder.is_dir():
            message = "is no folder of models, and no file of their paths."
            hint = f"Name the folder of ComfyUI or of the web UI, its `models`, or {EXTRA_PATHS}."
            raise ModelError(Problem("model_folder_missing", str(folder), message, hint))
        inside = next((folder / one for one in _MODELS if (folder / one).is_dir()), None)
        for root in (folder, inside):
            if root is not None:
                self._add_tree(root)
        if (folder / EXTRA_PATHS).is_file():
            self._add_paths(folder / EXTRA_PATHS)

    def _add_tree(self, root: Path) -> None:
        for entry in sorted(root.iterdir()):
            category = _category(entry.name)
            if category is not None and entry.is_dir():
                self._add_place(category, entry)

    def _add_place(self, category: str, place: Path) -> None:
        if place not in self.places[category]:
            self.places[category].append(place)

    def _add_paths(self, file: Path) -> None:
        """Add what an `extra_model_paths.yaml` names: sections of a base and paths by category."""
        for section in _read(file).values():
            if not isinstance(section, dict):
                continue
            base = Path(os.path.expandvars(str(section.get("base_path", ".")))).expanduser()
            for category, paths in section.items():
                known = _category(str(category))
                if known is None or not isinstance(paths, str):
                    continue
                for path in filter(None, map(str.strip, paths.splitlines())):
                    place = file.parent / base / path
                    if place.is_dir():
                        self._add_place(known, place)


def _read(file: Path) -> dict[object, object]:
    from yaml import YAMLError, safe_load  # type: ignore[import-untyped]

    try:
        content = safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError, RecursionError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        message = f"can't be read as a file of model paths: {said}."
        hint = "Correct it, or leave it out of the folders of models."
        raise ModelError(Problem("model_folder_missing", str(file), message, hint)) from error
    return content if isinstance(content, dict) else {}


def _category(name: str) -> str | None:
    lower = name.lower()
    return next((category for category, names in _PLACES.items() if lower in names), None)


def _spellings(name: PurePosixPath) -> list[str]:
    """Return a name as it is, and where it has no suffix with each that weights have."""
    text = name.as_posix()
    if is_weights(text) or is_pickled(text):
        return [text]
    return [f"{text}{suffix}" for suffix in (*SAFETENSORS, GGUF, *PICKLED)]


def _is_there(path: Path, name: str) -> bool:
    """Return whether a file is there. Raises ModelError where links to it lead in a circle."""
    try:
        return path.is_file() or (path.is_symlink() and path.resolve(strict=True).is_file())
    except FileNotFoundError:
        return False
    except (OSError, RuntimeError) as error:
        message = f"is a link that leads nowhere or in a circle: {path}."
        hint = "Correct the link, or name the file itself."
        raise ModelError(Problem("model_path_missing", name, message, hint)) from error


def _walk(place: Path) -> Iterator[Path]:
    """Yield the files below a folder; one that a link leads back to is gone into once."""
    seen: set[tuple[int, int]] = set()
    for folder, inside, files in os.walk(place, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            inside.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        inside.sort()
        yield from (Path(folder, file) for file in files)


def _outside(name: str) -> ModelError:
    message = "leads out of the folders of models."
    hint = "Name a file as it lies below its folder, without '..'."
    return ModelError(Problem("model_path_missing", name, message, hint))
