"""
How calls of a pipeline are computed, as a model reference asks for it.

Step caches and attention change no weights, so models with and without them share theirs. What a
family can't take, or is not installed, is refused by name before weights are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.diffusers.attention import attention_backend, attention_refusal
from nodetool_core.models.diffusers.quantize import quantization_refusal
from nodetool_core.models.diffusers.step_caches import step_cache, step_cache_refusal

if TYPE_CHECKING:
    from nodetool_core.context import Pipeline
    from nodetool_core.references import ModelRef


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Properties of a model reference that a family or an installation may not have."""

    step_cache: str | None = None
    attention: str | None = None
    quantization: str | None = None
    encoder_quantization: str | None = None

    @classmethod
    def of(cls, ref: ModelRef) -> CallOptions:
        return cls(ref.step_cache, ref.attention, ref.quantization, ref.encoder_quantization)

    def check(self, pipeline_class: type | None, name: str) -> None:
        """Refuse what a pipeline can't take. Raises ModelError with the property and the class."""
        for prop in ("quantization", "encoder_quantization"):
            value = getattr(self, prop)
            why, hint = quantization_refusal(value)
            if why:
                raise ModelError(
                    Problem("model_option_unsupported", name, f"`{prop}` {value} {why}.", hint)
                )
        for prop, value, why in self._refusals(pipeline_class):
            raise ModelError(
                Problem(
                    "model_option_unsupported",
                    name,
                    f"can't be used with `{prop}` {value}: {why}.",
                    f"Leave the model's `{prop}` out.",
                )
            )

    @contextmanager
    def applied(
        self, pipeline: Pipeline, arguments: Mapping[str, object], warn: Callable[[str], None]
    ) -> Iterator[None]:
        """
        Have a pipeline work so until the block ends.

        Warns of what it can't take, as one that was put together with a ControlNet, or is called
        with a negative prompt.
        """
        refused = set()
        for prop, value, why in self._refusals(type(pipeline), arguments):
            refused.add(prop)
            warn(f"{prop} {value} is not used: {why}.")
        with ExitStack() as stack:
            if self.attention and "attention" not in refused:
                stack.enter_context(attention_backend(pipeline, self.attention))
            if self.step_cache and "step_cache" not in refused:
                stack.enter_context(step_cache(pipeline, self.step_cache, arguments))
            yield

    def _refusals(
        self, pipeline_class: type | None, arguments: Mapping[str, object] | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """Yield property, value and reason of what a pipeline can't take."""
        if pipeline_class is None:
            return
        if self.step_cache and (
            why := step_cache_refusal(pipeline_class, self.step_cache, arguments)
        ):
            yield "step_cache", self.step_cache, why
        if self.attention and (why := attention_refusal(pipeline_class, self.attention)):
            yield "attention", self.attention, why
