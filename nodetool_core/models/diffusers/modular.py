"""
Blocks of Modular Diffusers, and pipelines of them over components that are lent.

Blocks are steps that declare what they take, what they give and which components they need. Those
of diffusers are made by their names; code that comes with a repository only where the operator
allows it by name.
"""

from __future__ import annotations

import copy
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nodetool_core.errors import ModelError, Problem, near_miss
from nodetool_core.models.libraries import import_libraries
from nodetool_core.models.sources.hub import Hub
from nodetool_core.models.sources.modular_repository import (
    CODE_VARIABLE,
    MODULAR_INDEX,
    allows_code,
    has_own_code,
    read_modular_layout,
)
from nodetool_core.models.sources.priors import INDEX
from nodetool_core.models.sources.repository_layout import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nodetool_core.context import Context, Pipeline
    from nodetool_core.models.diffusers.protocols import ModularBlocks, ModularPipeline
    from nodetool_core.references import ModelRef


def folder_here(model: ModelRef) -> Path | None:
    """Return the folder of a model that is on this machine; asks no network."""
    if not model.repo_id or model.path:
        return None
    # Not Path's own: that one fails where there is no such user.
    folder = Path(os.path.expanduser(model.repo_id))  # noqa: PTH111
    if folder.is_dir():
        return folder
    try:
        cached = Hub().cached_texts(model.repo_id, model.revision)
    except ModelError:
        return None
    return None if cached is None else cached[0]


def own_code(directory: Path) -> str:
    """Return the code that a repository brings for its blocks; empty where it brings none."""
    files = sorted(directory.glob("*.py")) if has_own_code(directory) else []
    return " ".join(file.read_text("utf-8") for file in files)


def named_blocks(class_name: str) -> ModularBlocks:
    """Return blocks of diffusers by the name of their class. Raises ModelError."""
    import_libraries()
    import diffusers
    from diffusers import ModularPipelineBlocks

    found = getattr(diffusers, class_name, None)
    if isinstance(found, type) and issubclass(found, ModularPipelineBlocks) and _has_steps(found):
        return cast("ModularBlocks", found())
    known = [name for name in dir(diffusers) if name.endswith("Blocks")]
    hint = near_miss(class_name, known) or "A newer diffusers may have it."
    message = f"diffusers {diffusers.__version__} has no such blocks."
    raise ModelError(Problem("model_class_unknown", class_name, message, hint))


def default_blocks(pipeline: str, name: str) -> ModularBlocks:
    """Return the blocks that a modular pipeline of diffusers has by itself. Raises ModelError."""
    import_libraries()
    import diffusers

    blocks = getattr(getattr(diffusers, pipeline, None), "default_blocks_name", None)
    if blocks is None:
        message = f"names the pipeline {pipeline}, for which diffusers has no blocks."
        hint = "Choose a model of a family that has some, such as Stable Diffusion XL."
        raise ModelError(Problem("model_class_unknown", name, message, hint))
    return named_blocks(blocks)


def blocks_in(directory: Path, name: str) -> ModularBlocks:
    """
    Return the blocks of a model: its own where it brings any, else those of its family.

    Reads small files, no weights. Raises ModelError, also where its own code is not allowed.
    """
    if has_own_code(directory):
        return _own_blocks(directory, name)
    if (directory / MODULAR_INDEX).is_file():
        layout = read_modular_layout(directory, name)
        try:
            return named_blocks(layout.blocks_name)
        except ModelError:
            return default_blocks(layout.class_name, name)
    if not (directory / INDEX).is_file():
        message = f"has neither {MODULAR_INDEX} nor {INDEX}, so it has no blocks."
        hint = "Give a repository or a folder in diffusers form."
        raise ModelError(Problem("model_not_diffusers", name, message, hint))
    index = read_json(directory / INDEX, name)
    return default_blocks(modular_class(str(index.get("_class_name")), index), name)


def modular_class(class_name: str, config: Mapping[str, object]) -> str:
    """Return the modular pipeline of a family, by the class of its plain pipeline."""
    import_libraries()
    from diffusers.modular_pipelines.modular_pipeline import MODULAR_PIPELINE_MAPPING
    from diffusers.pipelines.auto_pipeline import _get_model

    family = _get_model(class_name)  # type: ignore[no-untyped-call]
    choose = MODULAR_PIPELINE_MAPPING.get(family)
    return class_name if choose is None else str(choose(dict(config)))


def workflow_of(blocks: ModularBlocks, workflow: str, name: str) -> ModularBlocks:
    """Return the blocks of one of the workflows that blocks have. Raises ModelError."""
    known = [*(getattr(blocks, "_workflow_map", None) or ())]
    if not workflow:
        return blocks
    if workflow in known:
        return blocks.get_workflow(workflow)
    message = f"has no workflow {workflow!r}."
    hint = near_miss(workflow, known) or f"It has {', '.join(known) or 'none'}."
    raise ModelError(Problem("invalid_value", name, message, hint))


def pipeline_of(components: Mapping[str, object], settings: Mapping[str, object]) -> Pipeline:
    """Return a pipeline that does nothing but hold components, whatever blocks need them."""
    from diffusers.modular_pipelines.modular_pipeline import ModularPipelineBlocks
    from diffusers.modular_pipelines.modular_pipeline_utils import ComponentSpec, ConfigSpec

    class Holder(ModularPipelineBlocks):
        expected_components = [ComponentSpec(name, type(one)) for name, one in components.items()]
        expected_configs = [ConfigSpec(name, value) for name, value in settings.items()]

    return pipeline_over(cast("ModularBlocks", Holder()), components, settings)  # type: ignore[no-untyped-call]


def pipeline_over(
    blocks: ModularBlocks,
    components: Mapping[str, object],
    settings: Mapping[str, object],
    guidance_scale: float | None = None,
) -> Pipeline:
    """
    Return a pipeline of blocks over components, of which it takes those that it knows.

    What has neither weights nor files, such as a guider, is its own.

    Args:
        settings: How the model was saved, of which it takes what its blocks ask for.
        guidance_scale: For blocks with a guider.
    """
    made = blocks.init_pipeline()
    known = {
        name: copy.deepcopy(one) if name == _GUIDER else one
        for name, one in components.items()
        if one is not None and name in made._component_specs
    }
    made.register_components(**known)
    if guidance_scale is not None and getattr(made, _GUIDER, None) is not None:
        made.register_components(guider=made.guider.new(guidance_scale=guidance_scale))
    asked = {name: settings[name] for name in made._config_specs if name in settings}
    made.register_to_config(**asked)
    return cast("Pipeline", made)


def missing_components(pipeline: Pipeline, arguments: Mapping[str, object]) -> list[str]:
    """Return the components that a call would need and the pipeline lacks."""
    blocks = cast("ModularPipeline", pipeline)._blocks
    # One block always runs, and does not say so.
    with suppress(NotImplementedError):
        blocks = blocks.get_execution_blocks(**arguments)
    return [
        spec.name
        for spec in blocks.expected_components
        if spec.name and getattr(pipeline, spec.name, None) is None
    ]


def report_block_steps(pipeline: Pipeline, context: Context) -> None:
    """Replace the progress bars of all loops among a pipeline's blocks, which are its own."""
    from nodetool_core.models.diffusers.progress import StepReporter

    def progress_bar(
        iterable: Iterable[object] | None = None, total: int | None = None, **_appearance: object
    ) -> StepReporter:
        return StepReporter(context, "", iterable, total)

    for block in _all_blocks(cast("ModularPipeline", pipeline)._blocks):
        if hasattr(block, "progress_bar"):
            block.progress_bar = progress_bar


def _all_blocks(blocks: ModularBlocks) -> Iterator[ModularBlocks]:
    yield blocks
    for one in blocks.sub_blocks.values():
        yield from _all_blocks(one)


_GUIDER = "guider"


def _has_steps(cls: type) -> bool:
    """Return whether a class of blocks is more than a base of others."""
    return bool(getattr(cls, "block_classes", None)) or not cls.__name__.endswith("PipelineBlocks")


def _own_blocks(directory: Path, name: str) -> ModularBlocks:
    """Return the blocks that the code of a repository makes, where it may run."""
    if not allows_code(name):
        message = "brings blocks of its own, and code that comes with a model does not run."
        hint = (
            f"Where you trust it, start with {CODE_VARIABLE}={name!r}, or name blocks of diffusers"
            " in `blocks`."
        )
        raise ModelError(Problem("model_custom_code", name, message, hint))
    import_libraries()
    from diffusers import ModularPipelineBlocks

    try:
        made = ModularPipelineBlocks.from_pretrained(  # type: ignore[no-untyped-call]
            str(directory), trust_remote_code=True, local_files_only=True
        )
    except Exception as error:
        # Its code raises what it likes.
        message = f"has blocks that can't be made: {type(error).__name__}: {error}"
        raise ModelError(
            Problem("model_custom_code", name, message, "Correct its code.")
        ) from error
    return cast("ModularBlocks", made)
