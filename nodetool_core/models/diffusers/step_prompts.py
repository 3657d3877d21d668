"""Encoded prompts that change from step to step, put in place after each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.models.diffusers.families import call_parameters
from nodetool_core.models.diffusers.progress import steps_made

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.diffusers.protocols import StepCallback, StepTensors

_TOKENS: Final = "prompt_embeds"
_POOLED: Final = "add_text_embeds"

TENSOR_INPUTS: Final = "callback_on_step_end_tensor_inputs"
"""The argument that names the tensors which a callback is given."""


def changes_prompts(pipeline_class: type) -> bool:
    """Return whether the prompts of a pipeline can be changed between its steps."""
    taken: Sequence[str] = getattr(pipeline_class, "_callback_tensor_inputs", ())
    needed = "callback_on_step_end" in call_parameters(pipeline_class) and _TOKENS in taken
    return needed and (
        _POOLED in taken or "pooled_prompt_embeds" not in call_parameters(pipeline_class)
    )


def tensor_inputs(pipeline_class: type) -> list[str]:
    """Return the names of the tensors that a callback which changes prompts is to be given."""
    taken: Sequence[str] = getattr(pipeline_class, "_callback_tensor_inputs", ())
    return ["latents", *(name for name in (_TOKENS, _POOLED) if name in taken)]


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A prompt with its negative, encoded; of one batch row each."""

    prompt: torch.Tensor
    pooled: torch.Tensor | None
    negative: torch.Tensor | None
    negative_pooled: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class StepPrompts:
    """What is read in each step; the first is what a call begins with."""

    steps: Sequence[EncodedPair]

    def callback(self) -> StepCallback:
        """Return a `callback_on_step_end` that gets the tensors of `tensor_inputs`."""
        first = self.steps[0]
        rows: list[bool] = []
        """Which rows of a batch hold the prompt, and not the negative one."""

        def change(
            pipe: Pipeline, step: int, timestep: object, tensors: StepTensors
        ) -> StepTensors:
            given = tensors[_TOKENS]
            if step == 0:
                rows[:] = _prompt_rows(given, first)
            # Some schedulers call the model twice a step.
            number = (step + 1) * len(self.steps) // steps_made(pipe)
            pair = self.steps[min(number, len(self.steps) - 1)]
            made = {**tensors, _TOKENS: _placed(given, rows, pair.prompt, pair.negative)}
            if _POOLED in tensors and pair.pooled is not None:
                pooled = tensors[_POOLED]
                made[_POOLED] = _placed(pooled, rows, pair.pooled, pair.negative_pooled)
            return made

        return change


def _prompt_rows(given: torch.Tensor, first: EncodedPair) -> list[bool]:
    """
    Return which rows of a batch hold a prompt.

    Families order prompt and negative differently, and hold some of them twice. Where both are the
    same, the first of several is the negative one.
    """
    import torch

    prompt = first.prompt.to(given)[0]
    found = [torch.equal(row, prompt) for row in given]
    return [place > 0 for place in range(len(given))] if all(found) and len(given) > 1 else found


def _placed(
    given: torch.Tensor, rows: Sequence[bool], prompt: torch.Tensor, negative: torch.Tensor | None
) -> torch.Tensor:
    """Return a batch with prompt and negative in their rows; without a negative, those stay."""
    made = given.clone()
    for place, holds_prompt in enumerate(rows):
        value = prompt if holds_prompt else negative
        if value is not None:
            made[place] = value[0].to(made)
    return made
