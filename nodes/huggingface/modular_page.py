"""The parts of docs/models.md on blocks, and on pipelines that no node runs."""

from __future__ import annotations

from nodetool_core.models.diffusers.tasks import UNFIT, makes_no_images, tasks_of

_BLOCKS = """\
## Blocks of Modular Diffusers

[Blocks](nodes/huggingface/modular/blocks.md) runs what a repository describes as blocks. Its
properties and outputs are the inputs and outputs of the blocks; texts, numbers, switches and images
are passed, and tensors stay inside. The repository has a `modular_model_index.json`, whose
components may come from several repositories, or is any in diffusers form of a family that has
blocks: {families}. `workflow` narrows them to one of their workflows, whose properties alone the
node then has. Components are loaded once, and shared with all other nodes.

A repository's own code does not run, unless the variable NODETOOL_MODEL_CODE of the process names
the repository or the folder, as `model` does, by commas. No workflow and no client can set it."""

_REFUSED = """\
## Pipelines that no node runs

These classes of diffusers make images, and are refused by name before anything is fetched. Those
that make videos, sound, texts, shapes or molecules are not listed.

| Pipelines | Why a model of theirs is refused: it |
|---|---|
"""


def blocks_section() -> str:
    """Return the section on blocks, as Markdown."""
    import diffusers
    from diffusers.modular_pipelines.modular_pipeline import MODULAR_PIPELINE_MAPPING

    names = sorted(
        name
        for name, choose in MODULAR_PIPELINE_MAPPING.items()
        if not makes_no_images(choose().replace("Modular", ""))
        and hasattr(diffusers, choose())
        and not any(other in name for other in _OTHERS)
    )
    return _BLOCKS.format(families=", ".join(f"`{name}`" for name in names))


_OTHERS = ("video", "wan", "ltx", "helios", "cosmos", "minimax", "echo")
"""Families of videos and sound, among those with blocks."""


def refused_section() -> str:
    """Return the table of pipelines that no node runs, as Markdown."""
    import diffusers

    rows = []
    names = [name for name in dir(diffusers) if name.endswith(("Pipeline", "PipelineLegacy"))]
    plain = [name for name in names if not makes_no_images(name) and not tasks_of(name)]
    for why, pattern in UNFIT:
        found = [name for name in plain if pattern.search(name) and "Modular" not in name]
        if found:
            rows.append(f"| {', '.join(name.removesuffix('Pipeline') for name in found)} | {why} |")
    return _REFUSED + "\n".join(rows)
