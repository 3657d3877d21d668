"""
One component in a file, where a folder of it is expected: a VAE, a ControlNet.

The file does not say how large the network is, so the configuration comes from elsewhere: from the
base that a reference names, or from the repository of its family, whose texts alone are fetched.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.file_families import FAMILIES
from nodetool_core.models.sources.inspection import FileDescription, inspect_file, unfit_kind
from nodetool_core.models.sources.resolved import ResolvedModel, ResolvedPart

if TYPE_CHECKING:
    from nodetool_core.models.sources.assembled import Configuration
    from nodetool_core.models.sources.file_kinds import Kind

_CONTROLNETS: Final = {
    "sd1": "lllyasviel/control_v11p_sd15_canny",
    "sd2": "thibaud/controlnet-sd21-canny-diffusers",
    "sdxl": "diffusers/controlnet-canny-sdxl-1.0",
}
"""Family to a repository of a ControlNet for it; they differ in their weights alone."""

_VAES: Final = {
    "sd": "sd1",
    "flux": "flux-schnell",
    "flux2": "flux2",
    "wan": "qwen-image",
    "sana": "sana",
}
"""Whose latents an autoencoder makes, to the family that has it."""


_OF_XL: Final = re.compile(r"(?<![a-z])(sd[-_ ]?)?xl(?![a-z])", re.IGNORECASE)
"""In the names of files for Stable Diffusion XL."""


def configured(
    file: ResolvedModel, task: str, configuration: Configuration, base: str = ""
) -> ResolvedModel | None:
    """
    Return a component in a file together with its configuration; None where that is not here.

    Args:
        task: What is wanted of it: `network`, or `network:vae`.
        configuration: Finds the texts of a repository, and may fetch them.
        base: Hub id, or family, that the component is of; empty for that which the file shows.

    Raises ModelError for a file of another kind, and a family without a configuration.
    """
    described = inspect_file(file.path, file.name)
    kind: Kind = "vae" if task.endswith(":vae") else "controlnet"
    component = described.component(kind)
    if component is None and kind == "vae":
        raise unfit_kind(file.name, described, [kind])
    if component is None:
        raise _without_configuration(file.name, described)
    family = FAMILIES.get(base)
    repo_id = family.base if family else base or _repository(described, kind, file.path.name)
    if not repo_id:
        raise _without_configuration(file.name, described)
    texts = configuration(repo_id)
    if texts is None:
        return None
    part = ResolvedPart(kind, file, component.prefix)
    return ResolvedModel(
        file.name,
        texts[0],
        "directory",
        f"{texts[1]}+{part.revision}",
        parts=(part,),
        is_configuration=True,
    )


def _without_configuration(name: str, described: FileDescription) -> ModelError:
    message = f"is a single file that {described.said}, and does not say what network it is."
    return ModelError(
        Problem("model_not_diffusers", name, message, "Use a directory with a config.json.")
    )


def _repository(described: FileDescription, kind: Kind, name: str) -> str:
    """Return the Hub id whose configuration a component in a file fits; empty for none."""
    if kind == "controlnet":
        return _CONTROLNETS.get(described.family or "", "")
    component = described.component(kind)
    made_for = described.family if described.kind == "checkpoint" else None
    latents = (component and component.family) or ""
    # By its tensors, an autoencoder of XL is one of Stable Diffusion 1; the name tells them apart.
    named = "sdxl" if latents == "sd" and _OF_XL.search(name) else None
    known = made_for or described.stated or named or _VAES.get(latents, "")
    family = FAMILIES.get(known)
    return family.base if family else ""
