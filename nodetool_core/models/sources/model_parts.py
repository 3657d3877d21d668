"""
Models in parts: which file or folder takes the place of which component of a base.

The base is a folder in diffusers form: its `model_index.json` and the configurations of its
components are needed, the weights of what is given are not. A part is a file (a whole one, or one
component of a checkpoint) or the folder of a component. A denoiser and a VAE have one place. Text
encoders find theirs by what they are: a file of T5 takes that of the T5, whatever the order; among
equal ones the order counts.

Names, headers and small JSON files alone are looked at, so that what does not fit is refused before
anything is loaded, and before the rest of the base is fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.file_families import FAMILIES, label_of
from nodetool_core.models.sources.file_kinds import FileComponent
from nodetool_core.models.sources.inspection import inspect_file, named, unfit_kind
from nodetool_core.models.sources.priors import INDEX
from nodetool_core.models.sources.repository_files import no_network
from nodetool_core.models.sources.repository_layout import read_json
from nodetool_core.models.sources.resolved import ResolvedPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from nodetool_core.models.sources.file_kinds import Kind
    from nodetool_core.models.sources.resolved import ResolvedModel
    from nodetool_core.references import PartRole

COMPONENTS: Final[Mapping[PartRole, tuple[str, ...]]] = {
    "denoiser": ("unet", "transformer"),
    "text_encoder": ("text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4"),
    "vae": ("vae", "movq", "vqvae"),
}
"""What pipelines call the components of each role."""

_PROPERTIES: Final[Mapping[PartRole, str]] = {
    "denoiser": "denoiser",
    "text_encoder": "text_encoders",
    "vae": "vae",
}

_DENOISERS: Final = {
    "sd1": "UNet2DConditionModel",
    "sd2": "UNet2DConditionModel",
    "sdxl": "UNet2DConditionModel",
    "sdxl-refiner": "UNet2DConditionModel",
    "sd3": "SD3Transformer2DModel",
    "flux": "FluxTransformer2DModel",
    "flux2": "Flux2Transformer2DModel",
    "chroma": "ChromaTransformer2DModel",
    "qwen-image": "QwenImageTransformer2DModel",
    "z-image": "ZImageTransformer2DModel",
    "lumina2": "Lumina2Transformer2DModel",
    "auraflow": "AuraFlowTransformer2DModel",
    "hidream": "HiDreamImageTransformer2DModel",
    "sana": "SanaTransformer2DModel",
    "pixart": "PixArtTransformer2DModel",
    "hunyuan-dit": "HunyuanDiT2DModel",
    "cogview4": "CogView4Transformer2DModel",
}
"""The class of a family's denoiser; a file of another family can't fill it."""


def denoiser_class(family: str) -> str | None:
    """Return the class of a family's denoiser; None where it is not known."""
    known = FAMILIES.get(family)
    return _DENOISERS.get(known.adapters or known.key) if known else None


def base_for(parts: Sequence[tuple[PartRole, ResolvedModel]], name: str) -> str:
    """
    Return the Hub id whose configuration the parts of a model without a base fit.

    Its denoiser says which family it is of. Raises ModelError where it does not.
    """
    for role, part in parts:
        if role == "denoiser" and part.kind == "file":
            described = inspect_file(part.path, part.name)
            family = FAMILIES.get(described.family or "")
            if family is not None and family.base:
                return family.base
            message = f"looks like {described.name}, whose family has no base that is known here."
            raise ModelError(Problem("model_base_missing", part.name, message, _BASE_HINT))
    message = "is given in parts, without a base and without a denoiser in a file."
    raise ModelError(Problem("model_base_missing", name or "model", message, _BASE_HINT))


_BASE_HINT = (
    "Name the base in `repo_id`: a Hub id, a folder in diffusers form, or a family such as 'sdxl'."
)


def placed(
    base: Path,
    name: str,
    parts: Sequence[tuple[PartRole, ResolvedModel]],
    checkpoint: ResolvedModel | None = None,
) -> tuple[ResolvedPart, ...]:
    """
    Return the parts of a model, each with the component of the base that it takes the place of.

    Args:
        base: A folder in diffusers form, which may lack weights.
        name: What the user called the base; goes into messages.
        checkpoint: A file that gives what no part does.

    Raises ModelError for a file of another kind or family, and where there is no place for one.
    """
    classes = _classes(base, name)
    found: list[ResolvedPart] = []
    for role, part in parts:
        taken = {one.component for one in found}
        free = [one for one in COMPONENTS[role] if one in classes and one not in taken]
        if role == "text_encoder":
            found += _text_encoders(base, part, {one: classes[one] for one in free}, name)
        elif not free:
            raise _no_place(role, part, name)
        else:
            prefix, family = _one_component(role, part)
            if role == "denoiser":
                _check_denoiser(part, family, free[0], classes[free[0]], base)
            found.append(ResolvedPart(free[0], part, prefix))
    if checkpoint is not None:
        found += _rest_of(checkpoint, base, classes, {one.component for one in found})
    return tuple(found)


def _rest_of(
    checkpoint: ResolvedModel, base: Path, classes: Mapping[str, str], taken: set[str]
) -> list[ResolvedPart]:
    """Return the components of a checkpoint that nothing else takes the place of."""
    found: list[ResolvedPart] = []
    for one in inspect_file(checkpoint.path, checkpoint.name).components:
        for role, names in COMPONENTS.items():
            used = taken | {part.component for part in found}
            free = {part: classes[part] for part in names if part in classes and part not in used}
            if one.kind != role:
                continue
            slot = (
                _slot(_kind_of_family(one.family), one.width, base, free)
                if role == "text_encoder"
                else next(iter(free), None)
            )
            if slot is not None:
                found.append(ResolvedPart(slot, checkpoint, one.prefix))
    return found


def lacking(base: Path, name: str, parts: Iterable[ResolvedPart]) -> list[str]:
    """Return the components with weights of a base that no part takes the place of."""
    taken = {one.component for one in parts}
    roles = [one for names in COMPONENTS.values() for one in names]
    return [one for one in _classes(base, name) if one in roles and one not in taken]


def base_incomplete(name: str, components: Sequence[str]) -> ModelError:
    """Return the refusal of parts that leave components without weights."""
    message = f"is given in parts that lack {' and '.join(components)}."
    roles = {role for role, names in COMPONENTS.items() for one in components if one in names}
    wanted = ", ".join(f"`{_PROPERTIES[role]}`" for role in sorted(roles))
    hint = f"Name them in {wanted}, or give a base that has them: a Hub id or a folder."
    return ModelError(Problem("model_base_missing", name or "model", message, hint))


def _classes(base: Path, name: str) -> dict[str, str]:
    """Return the class of each component of a base, by its index."""
    return {
        part: str(value[1])
        for part, value in read_json(base / INDEX, name).items()
        if isinstance(value, list) and len(value) == 2 and value[1] is not None
    }


def _one_component(role: PartRole, part: ResolvedModel) -> tuple[str, str | None]:
    """Return the prefix and the family of the component that a part gives for a role."""
    if part.kind == "directory":
        return "", None
    described = inspect_file(part.path, part.name)
    kind: Kind = role
    one = described.component(kind)
    if one is not None:
        return one.prefix, one.family
    if described.kind == "unknown":
        # Reading it says what fits.
        return "", None
    raise unfit_kind(part.name, described, [kind])


def _check_denoiser(
    part: ResolvedModel, family: str | None, component: str, cls: str, base: Path
) -> None:
    """Raise ModelError where a denoiser is of another family than the base."""
    known = FAMILIES.get(family or "")
    wanted = denoiser_class(family or "")
    if known is None or wanted is None or wanted == cls or cls not in _DENOISERS.values():
        return
    message = f"is a denoiser of {label_of(family)} ({wanted}), where the base has {cls}."
    raise ModelError(
        Problem("model_unfit", part.name, message, f"Take a base such as {known.base}.")
    )


def _text_encoders(
    base: Path, part: ResolvedModel, slots: Mapping[str, str], name: str
) -> list[ResolvedPart]:
    """Return the places that a text encoder, or those of a checkpoint, take."""
    if part.kind == "directory":
        return [_folder_of_encoder(part, base, slots, name)]
    described = inspect_file(part.path, part.name)
    given = [one for one in described.components if one.kind == "text_encoder"]
    if not given and described.kind == "unknown":
        given = [FileComponent("text_encoder", "")]
    if not given:
        raise unfit_kind(part.name, described, ["text_encoder"])
    found: list[ResolvedPart] = []
    for one in given:
        free = [slot for slot in slots if slot not in {taken.component for taken in found}]
        slot = _slot(
            _kind_of_family(one.family),
            one.width,
            base,
            {free_slot: slots[free_slot] for free_slot in free},
        )
        if slot is None:
            raise _no_place("text_encoder", part, name, _said(one))
        found.append(ResolvedPart(slot, part, one.prefix))
    return found


def _folder_of_encoder(
    part: ResolvedModel, base: Path, slots: Mapping[str, str], name: str
) -> ResolvedPart:
    folder = part.path
    if not (folder / "config.json").is_file():
        folder = folder / COMPONENTS["text_encoder"][0]
    if not (folder / "config.json").is_file():
        raise no_network(part.name, "has no config.json")
    config = read_json(folder / "config.json", part.name)
    architectures = config.get("architectures")
    cls = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    slot = _slot(_kind_of_class(cls), _width(config), base, slots)
    if slot is None:
        raise _no_place("text_encoder", part, name, f"a text encoder ({cls or 'of no class'})")
    return ResolvedPart(slot, part, "")


def _slot(kind: str, width: int | None, base: Path, slots: Mapping[str, str]) -> str | None:
    """Return the first place for a text encoder of a kind and a width; None where there is none."""
    for slot, cls in slots.items():
        if _kind_of_class(cls) != kind:
            continue
        config = base / slot / "config.json"
        wanted = _width(read_json(config, str(config))) if config.is_file() else None
        if width is None or wanted is None or width == wanted:
            return slot
    return None


def _kind_of_class(cls: str) -> str:
    if cls.startswith("CLIP"):
        return "clip"
    return "t5" if cls.startswith(("T5", "UMT5", "MT5")) else "language"


def _kind_of_family(family: str | None) -> str:
    stem = (family or "").partition("-")[0]
    return {"clip": "clip", "t5": "t5", "umt5": "t5"}.get(stem, "language")


def _width(config: Mapping[str, object]) -> int | None:
    """Return how many numbers a text encoder makes of a word, by its configuration."""
    inner = config.get("text_config")
    for settings in (config, inner if isinstance(inner, dict) else {}):
        for key in ("hidden_size", "d_model"):
            if isinstance(width := settings.get(key), int):
                return width
    return None


def _said(one: FileComponent) -> str:
    known = named(one.kind, one.family)
    return known if one.width is None else f"{known}, {one.width} numbers wide"


def _no_place(role: PartRole, part: ResolvedModel, base: str, said: str = "") -> ModelError:
    what = said or named(role, None)
    message = f"is {what}, for which {base or 'the base'} has no place left."
    hint = f"Leave it out of `{_PROPERTIES[role]}`, or take the base that it was made for."
    return ModelError(Problem("model_unfit", part.name, message, hint))
