"""
Blocks of Modular Diffusers as a node: what they take and give are its properties and outputs.

Of what blocks declare, a node passes on texts, numbers, switches and images. Tensors stay inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, cast, get_args

from nodes.huggingface import diffusion as shared
from nodes.huggingface.diffusion import model_image
from nodes.huggingface.noise import seeded_generator
from nodetool_core import Context, Field, ImageRef, Lane, ModelRef, NodeError, Sources
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.diffusers.modular import folder_here, own_code
from nodetool_core.specialized import Declared, Output, Property, SpecializedNode

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.models.diffusers.protocols import ModularBlocks

_BOUNDS: Final[Mapping[str, dict[str, float]]] = {
    "width": {"ge": 16, "le": 8192},
    "height": {"ge": 16, "le": 8192},
    "num_inference_steps": {"ge": 1, "le": 1000},
    "num_images_per_prompt": {"ge": 1, "le": 16},
    "strength": {"ge": 0.0, "le": 1.0},
    "guidance_scale": {"ge": 0.0, "le": 100.0},
}
"""Of inputs that blocks declare without any."""
_INNER: Final = frozenset({"generator", "output_type", "dtype", "batch_size", "output", "state"})
"""What the node gives by itself, what blocks tell each other, and what a call means otherwise."""
_NUMBERS: Final = {
    **dict.fromkeys(("width", "height", "clip_skip", "padding_mask_crop", "control_mode"), int),
    **dict.fromkeys(("denoising_start", "denoising_end", "eta", "guidance_scale"), float),
}
"""Types of inputs for which blocks of diffusers state none."""
_SCALE: Final = "guidance_scale"


class Blocks(SpecializedNode):
    """
    Runs the blocks of a model with Modular Diffusers. Its further properties, and its outputs, are
    those that the blocks declare.
    huggingface, modular, blocks, pipeline, diffusers

    Use cases:
    - Run a repository that is made of blocks
    - Use a workflow of a family that no other node has
    - Run blocks of your own, where you allow their code
    """

    synonyms = ("Modular Diffusers", "Mellon", "ModularPipeline")

    lane = Lane.DEVICE
    decided_by = ("model", "blocks", "workflow")
    example: ClassVar[Mapping[str, object]] = {
        "model": "stabilityai/stable-diffusion-xl-base-1.0",
        "blocks": "StableDiffusionXLAutoBlocks",
        "workflow": "text2image",
        "prompt": "a lake in winter",
    }

    model: ModelRef = Field(
        default=ModelRef(),
        place="file",
        description=(
            "Repository or folder with the components: one of Modular Diffusers, or any in"
            " diffusers form of a family that has blocks."
        ),
    )
    blocks: str = Field(
        default="",
        max_length=200,
        description=(
            "Blocks of diffusers, such as StableDiffusionXLAutoBlocks. Empty for those of the"
            " model."
        ),
    )
    workflow: str = Field(
        default="",
        max_length=200,
        description=(
            "Which of the workflows that the blocks have, such as text2image. Empty for all of"
            " them: what is given decides."
        ),
    )
    seed: int = shared.SEED

    @classmethod
    def declared(cls, values: Mapping[str, object]) -> Declared:
        blocks = _blocks(
            cast("ModelRef", values["model"]), str(values["blocks"]), str(values["workflow"])
        )
        inputs = [one for one in _inputs(blocks) if not hasattr(cls, one.name)]
        inputs = [one for one in inputs if one.name not in cls.spec.properties]
        outputs = {
            one.name: one for one in _outputs(blocks) if one.name not in {i.name for i in inputs}
        }
        properties = {one.name: one.property for one in inputs}
        return Declared(repr((inputs, list(outputs.values()))), properties, outputs)

    @classmethod
    def fingerprint(cls, values: dict[str, object], sources: Sources) -> str | None:
        # Code of a repository may change while its weights stay as they are.
        folder = folder_here(cast("ModelRef", values.get("model") or ModelRef()))
        return "" if folder is None else own_code(folder)

    def process(self, context: Context) -> dict[str, object]:
        from nodetool_core.models.diffusers.modular import (
            missing_components,
            pipeline_over,
            report_block_steps,
        )
        from nodetool_core.models.diffusers.tasks import MODULAR

        blocks = _blocks(self.model, self.blocks, self.workflow)
        inputs = [one for one in _inputs(blocks) if one.name in vars(self)]
        given = {one.name: one.value(vars(self)[one.name], context) for one in inputs}
        arguments = {name: value for name, value in given.items() if value is not None}
        with context.models.use(self.model, MODULAR, context=context) as lease:
            own = lease.pipeline
            scale = arguments.pop(_SCALE, None) if _has_guider(blocks) else None
            pipeline = pipeline_over(
                blocks, own.components, own.config, cast("float | None", scale)
            )
            if missing := missing_components(pipeline, arguments):
                message = (
                    f"lacks {', '.join(missing)}, which the blocks need for what they are given."
                )
                hint = "Choose another `workflow`, or a model that has it."
                raise NodeError(message, hint, code="model_incomplete", where="model")
            lease.compose(pipeline)
            report_block_steps(pipeline, context)
            names = [one.name for one in blocks.outputs if one.name]
            if any(one.name == "generator" for one in blocks.inputs):
                arguments["generator"] = seeded_generator(self.seed, context)
            made = lease.run({**arguments, "output": names})
        return _given(cast("dict[str, object]", made), self.spec.outputs, context)


@dataclass(frozen=True)
class BlockInput:
    """An input of blocks that a node can be given."""

    name: str
    kind: type
    """`ImageRef`, `str`, `int`, `float` or `bool`."""
    is_list: bool
    default: object
    required: bool
    description: str

    @property
    def property(self) -> Property:
        """The property that it is; one that need not be given may be None."""
        one = list[self.kind] if self.is_list else self.kind  # type: ignore[name-defined]
        bounds = _BOUNDS.get(self.name, {}) if self.kind in (int, float) else {}
        if self.required and self.kind is str:
            return Property(self.name, one, "", self.description, bounds)
        if self.default is not None and not self.is_list:
            return Property(self.name, one, self.default, self.description, bounds)
        return Property(self.name, one | None, None, self.description, bounds)

    def value(self, given: object, context: Context) -> object:
        """Return what the blocks are passed."""
        if self.kind is not ImageRef or given is None:
            return given
        many = cast("list[ImageRef]", given if isinstance(given, list) else [given])
        images = [model_image(context, ref, self.name) for ref in many]
        return images if self.is_list else images[0]


def _blocks(model: ModelRef, blocks: str, workflow: str) -> ModularBlocks:
    """Return the blocks that properties name. Raises ModelError."""
    from nodetool_core.models.diffusers.modular import blocks_in, named_blocks, workflow_of

    if blocks:
        return workflow_of(named_blocks(blocks), workflow, blocks)
    name, folder = model.repo_id, folder_here(model)
    if folder is None:
        if not name:
            message = "names no model, and `blocks` no blocks, so nothing says what it takes."
        else:
            message = "is not on this machine yet, so nothing says what its blocks take."
        hint = "Fetch it (`nodetool models pull`), or name blocks of diffusers in `blocks`."
        raise ModelError(Problem("model_missing", name or "model", message, hint))
    return workflow_of(blocks_in(folder, name), workflow, name)


def _has_guider(blocks: ModularBlocks) -> bool:
    takes = {one.name for one in blocks.inputs}
    return _SCALE not in takes and any(one.name == "guider" for one in blocks.expected_components)


def _inputs(blocks: ModularBlocks) -> Iterator[BlockInput]:
    """Yield the inputs that a node can be given, and the scale of blocks that guide by one."""
    for one in blocks.inputs:
        if not one.name or one.name in _INNER:
            continue
        kind, is_list = _kind(one.name, one.type_hint, one.default)
        if kind is None:
            continue
        default = one.default
        if type(default) is int and kind is float:
            default = float(default)
        if default is not None and type(default) is not kind:
            continue
        said = " ".join((one.description or "").split())
        yield BlockInput(one.name, kind, is_list, default, bool(one.required), said)
    if _has_guider(blocks):
        guider = next(one for one in blocks.expected_components if one.name == "guider")
        scale = cast("float | None", (guider.config or {}).get(_SCALE))
        said = "How closely the prompt is followed; the guider's own where none is given."
        yield BlockInput(_SCALE, float, False, None if scale is None else float(scale), False, said)


def _kind(name: str, hint: object, default: object) -> tuple[type | None, bool]:
    """Return the type of an input as nodes have it, and whether it is a list of such."""
    from diffusers.modular_pipelines.modular_pipeline_utils import INPUT_PARAM_TEMPLATES
    from PIL import Image

    if hint is None:
        templates = cast("dict[str, dict[str, object]]", INPUT_PARAM_TEMPLATES)
        hint = templates.get(name, {}).get("type_hint")
    members = [hint, *get_args(hint)] if not _is_list(hint) else [hint]
    if Image.Image in members:
        return ImageRef, False
    if any(_is_list(one) and get_args(one)[:1] == (Image.Image,) for one in members):
        return ImageRef, True
    for kind in (bool, int, float, str):
        if kind in members:
            return kind, False
    for kind in (int, float, str):
        if any(_is_list(one) and get_args(one)[:1] == (kind,) for one in members):
            return kind, True
    if hint is not None:
        return None, False
    if name in _NUMBERS:
        return _NUMBERS[name], False
    if name.startswith(("prompt", "negative_prompt")) and "embeds" not in name:
        return str, False
    if name == "image" or name.endswith("_image"):
        return ImageRef, False
    return (type(default), False) if type(default) in (bool, int, float, str) else (None, False)


def _is_list(hint: object) -> bool:
    return getattr(hint, "__origin__", None) is list


def _outputs(blocks: ModularBlocks) -> Iterator[Output]:
    """Yield the outputs that a node can pass on; of images the first one apart as well."""
    for one in blocks.outputs:
        if not one.name or one.name in _INNER:
            continue
        kind, is_list = _kind(one.name, one.type_hint, None)
        said = " ".join((one.description or "").split())
        if kind is ImageRef and one.name == "images":
            yield Output("output", ImageRef, "The first image.")
            yield Output("images", list[ImageRef], said or "All of them.")
        elif kind is not None:
            yield Output(one.name, (list[kind] if is_list else kind) | None, said)  # type: ignore[valid-type]


def _given(
    made: Mapping[str, object], outputs: Mapping[str, Output], context: Context
) -> dict[str, object]:
    """Return what blocks made as the outputs of a node. Raises NodeError without an image."""
    found: dict[str, object] = {}
    for name in outputs:
        value = made.get("images" if name == "output" else name)
        if name in ("output", "images"):
            images = cast("list[Image.Image]", value or [])
            if not images:
                raise NodeError(
                    "The blocks made no image.", code="no_image_returned", where="blocks"
                )
            found[name] = [context.image_from_pil(one) for one in images]
            if name == "output":
                found[name] = cast("list[ImageRef]", found[name])[0]
        else:
            found[name] = value
    return found
