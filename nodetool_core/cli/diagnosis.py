"""
The state of an installation as data: versions, devices, folders, packs, and what is wrong.

Meant to be pasted into a report, so there is nothing secret in it: no value of a key or of an
environment variable, and `~` for the user's home. Each problem comes with what to do.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Final

from nodetool_core import DISTRIBUTION, OWN_VARIABLES, __version__
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.json_types import JsonObject

PACKAGES: Final = (
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "peft",
    "safetensors",
    "huggingface_hub",
    "pillow",
    "numpy",
    "pydantic",
)
"""Packages whose versions a report of a fault needs."""

_OTHER_PROJECT: Final = "nodetool"
"""What another project is called on the package index."""
_LEAST_FREE: Final = 2 * 10**9
_LEAST_MEMORY: Final = 4 * 2**30


@dataclass(frozen=True)
class DeviceState:
    """A device that models run on."""

    name: str
    model: str
    number_format: str
    bytes: int
    budget: int
    """Bytes that models may take of it unless an option says otherwise."""


@dataclass(frozen=True)
class FolderState:
    """A folder in which something is kept."""

    path: str
    bytes: int
    free: int
    """Bytes that are free on its disk."""


@dataclass
class Diagnosis:
    """What there is, and what is wrong."""

    versions: dict[str, str] = field(default_factory=dict)
    torch_build: str = ""
    """`cpu`, `cuda 12.8`, `rocm 6.4`; empty without torch."""
    devices: list[DeviceState] = field(default_factory=list)
    memory: int = 0
    folders: dict[str, FolderState] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    packs: dict[str, int] = field(default_factory=dict)
    """Packages of nodes, and how many nodes each has."""
    extras: dict[str, list[str]] = field(default_factory=dict)
    """Extras, and the packages that are missing of each."""
    variables: list[str] = field(default_factory=list)
    """Names of the environment variables that are set and count."""
    secrets: list[str] = field(default_factory=list)
    """Names of the keys that are set."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not any(problem.level == "error" for problem in self.problems)

    def to_json(self) -> JsonObject:
        document: JsonObject = asdict(self)
        return document


def diagnose() -> Diagnosis:
    """Look at everything. Imports torch and all packs, and takes seconds."""
    from nodetool_core.models.residency.devices import host_memory

    found = Diagnosis(memory=host_memory())
    for look in (_look_at_versions, _look_at_packs, _look_at_devices, _look_at_folders):
        look(found)
    _look_at_settings(found)
    if found.memory < _LEAST_MEMORY:
        message = f"There are {found.memory / 2**30:.1f} GiB of memory; models need 4 and more."
        found.problems.append(
            Problem("little_memory", "memory", message, "Run small models.", level="warning")
        )
    return found


def _look_at_versions(found: Diagnosis) -> None:
    found.versions = {
        DISTRIBUTION: __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    } | {name: version for name in PACKAGES if (version := _version(name))}
    found.problems.extend(_unmet(""))
    found.extras = {
        extra: [problem.where for problem in _unmet(extra)]
        for extra in metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or ()
        if extra not in ("dev", "bench", "docs")
    }
    if _version(_OTHER_PROJECT):
        message = "is another project's package, whose command has the same name."
        hint = f"pip uninstall {_OTHER_PROJECT}; pip install --force-reinstall {DISTRIBUTION}"
        found.problems.append(Problem("other_project", _OTHER_PROJECT, message, hint))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _unmet(extra: str) -> Iterator[Problem]:
    """Yield what is missing of an extra; of what all installations need for an empty name."""
    from packaging.requirements import Requirement

    for line in metadata.requires(DISTRIBUTION) or ():
        wanted = Requirement(line)
        is_of_extra = wanted.marker is not None and "extra" in str(wanted.marker)
        if is_of_extra != bool(extra) or (
            wanted.marker is not None and not wanted.marker.evaluate({"extra": extra})
        ):
            continue
        version = _version(wanted.name)
        if not version or not wanted.specifier.contains(version, prereleases=True):
            state = f"is {version}" if version else "is not installed"
            hint = f"pip install '{wanted.name}{wanted.specifier}'"
            yield Problem("unmet_requirement", wanted.name, f"{state}.", hint)


def _look_at_packs(found: Diagnosis) -> None:
    from nodetool_core.registry import Registry

    registry = Registry.installed()
    nodes = list(registry)
    found.packs = {
        pack.package: sum(f"{node.__module__}.".startswith(f"{pack.package}.") for node in nodes)
        for pack in registry.packs
    }
    found.problems += registry.problems


def _look_at_devices(found: Diagnosis) -> None:
    from nodetool_core.models.libraries import import_libraries, torch_build
    from nodetool_core.models.residency.devices import choose_devices

    try:
        import_libraries()
        devices = choose_devices()
    except NodetoolError as error:
        found.problems += error.problems
        return
    found.torch_build = torch_build()
    for device in devices:
        number_format = str(device.dtype).removeprefix("torch.")
        found.devices.append(
            DeviceState(
                device.name,
                device.hardware(),
                number_format,
                device.memory(),
                device.default_budget(),
            )
        )
    if all(device.is_host for device in devices):
        found.problems.extend(_unused_card(found.torch_build))


def _unused_card(build: str) -> Iterator[Problem]:
    """Yield why models run on the processor though they need not."""
    has_driver = Path("/proc/driver/nvidia/version").exists() or bool(shutil.which("nvidia-smi"))
    page = "The page Installation has the command for each device."
    if build == "cpu" and has_driver:
        message = "There is an NVIDIA driver, and torch is the build for processors."
        yield Problem("wrong_build", "torch", message, page, level="warning")
    elif build != "cpu":
        message = (
            f"torch is the build for {build}, and finds no such device. Models run on the CPU."
        )
        hint = (
            "nvidia-smi has to list the card, and CUDA_VISIBLE_DEVICES has to leave it visible."
            if has_driver
            else f"Where there is a card, install its driver. Else the CPU build is smaller. {page}"
        )
        yield Problem(
            "no_device", "torch", message, hint, level="warning" if has_driver else "note"
        )


def _look_at_folders(found: Diagnosis) -> None:
    from huggingface_hub import constants

    from nodetool_core.engine.caching.tiered import default_disk_cache
    from nodetool_core.models.sources.local_models import local_models
    from nodetool_core.registry import Registry

    cache = default_disk_cache()
    results = cache.info.bytes if cache.directory.is_dir() else 0
    cache.close()
    weights = Path(constants.HF_HUB_CACHE)
    models = local_models(Registry.installed().weights(), weights)
    found.models = [model.name for model in models]
    for model in models:
        found.problems += [
            Problem(
                "model_incomplete",
                model.name,
                f"is not whole: {gap}",
                f"nodetool models pull {model.name}",
                level="warning",
            )
            for gap in model.gaps[:1]
        ]
    sizes = {"results": results, "models": sum(one.bytes for one in models if one.source == "hub")}
    for name, path in {"results": cache.directory, "models": weights}.items():
        existing = next(folder for folder in (path, *path.parents) if folder.is_dir())
        free = shutil.disk_usage(existing).free
        found.folders[name] = FolderState(shown(path), sizes[name], free)
        found.problems.extend(_folder_problems(existing, name, free))


def _folder_problems(folder: Path, name: str, free: int) -> Iterator[Problem]:
    variable = {"results": "NODETOOL_CACHE_DIR", "models": "HF_HOME"}[name]
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"can't be written to, and {name} are kept there."
        hint = f"Change its permissions, or name another folder in {variable}."
        yield Problem("unwritable_folder", shown(folder), message, hint)
    if free < _LEAST_FREE:
        message = f"has {free / 10**9:.1f} GB left on its disk."
        hint = (
            f"Make room (nodetool cache clear, nodetool models rm), or name a folder on another"
            f" disk in {variable}."
        )
        yield Problem("disk_nearly_full", shown(folder), message, hint, level="warning")


def _look_at_settings(found: Diagnosis) -> None:
    from nodetool_core.secrets import SecretError, Secrets

    try:
        found.secrets = sorted(Secrets().places())
    except SecretError as error:
        found.problems += error.problems
    known = ("NODETOOL_", "HF_", "CUDA_", "HIP_", "PYTORCH_", "OMP_")
    proxies = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
    found.variables = sorted(
        name
        for name, value in os.environ.items()
        if (name.startswith(known) or name.lower() in proxies) and OWN_VARIABLES.get(name) != value
    )


def shown(path: Path) -> str:
    """Return a path with `~` for the user's home, and so without the user's name."""
    home = Path.home()
    if not path.is_relative_to(home) or home == Path(home.anchor):
        return str(path)
    return str(Path("~") / path.relative_to(home))
