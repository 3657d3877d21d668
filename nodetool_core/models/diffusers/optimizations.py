"""
What is done to a component once, after it is read and before it goes to its device.

The fast path of the library.

Convolutions want their channels last on a card. `fp8` keeps a denoiser's weights in 8 bits and
casts each layer to the number format of the computation as it runs (layerwise casting). Other forms
round linear layers by a library (`quantize.py`). Compiling
is done for the blocks that repeat, which gives the speed of compiling all in a tenth of the time.
Attention is torch's `scaled_dot_product_attention` without our doing.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.components.component_key import is_denoiser, is_text_encoder
from nodetool_core.models.diffusers.quantize import quantize

if TYPE_CHECKING:
    import torch

    from nodetool_core.models.components.component_key import Precision
    from nodetool_core.models.residency.devices import Device


def optimize(module: torch.nn.Module, part: str, precision: Precision, device: Device) -> None:
    """
    Bring a component, still in host memory, into the form that was asked for.

    Raises ModelError where it has no such form.
    """
    import torch

    _cache_signatures(module)
    if device.name.startswith("cuda") and any(
        isinstance(inner, torch.nn.Conv2d) for inner in module.modules()
    ):
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if is_text_encoder(part) and precision.encoder_quantization:
        quantize(module, precision.encoder_quantization)
    if not is_denoiser(part):
        return
    if precision.quantization not in (None, "fp8"):
        quantize(module, precision.quantization)
    if precision.quantization == "fp8":
        cast = getattr(module, "enable_layerwise_casting", None)
        if cast is None:
            message = f"can't be kept in fp8: {type(module).__name__} has no layerwise casting."
            raise ModelError(
                Problem(
                    "model_quantization_unsupported",
                    part,
                    message,
                    "Leave the model's `quantization` out.",
                )
            )
        cast(
            storage_dtype=torch.float8_e4m3fn,
            compute_dtype=precision.dtype,
            skip_modules_classes=_asking_for_formats(module),
        )
    if precision.compile:
        has_blocks = bool(getattr(module, "_repeated_blocks", None))
        compiles = "compile_repeated_blocks" if has_blocks else "compile"
        getattr(module, compiles)()


def _asking_for_formats(module: torch.nn.Module) -> tuple[type, ...]:
    """
    Return the classes of layers that bring their input to the number format of their weights.

    That format is the one of the computation only later.
    """
    kinds = {
        type(inner) for inner in module.modules() if type(inner).__module__.startswith("diffusers.")
    }
    return tuple(kind for kind in kinds if "weight.dtype" in inspect.getsource(kind.forward))


def _cache_signatures(module: torch.nn.Module) -> None:
    """
    Cache what attention processors take, which diffusers 0.42 looks up at each step.

    With the answer at hand, Python builds it in an eighth of the time.
    """
    for processor in getattr(module, "attn_processors", {}).values():
        call: Any = type(processor).__call__
        if hasattr(call, "__code__") and not hasattr(call, "__signature__"):
            call.__signature__ = inspect.signature(call)
