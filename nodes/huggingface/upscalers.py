"""
Upscaling networks, from the tensors of a safetensors file.

Architecture, depth and width are read off the tensors' names and shapes, which are those of the
published files:

- RRDBNet, the network of ESRGAN and Real-ESRGAN (`conv_first.weight`, `body.0.rdb1.conv1.weight`,
  …; also under the older names `model.0.weight`, `model.1.sub.0.RDB1.conv1.0.weight`, …)
- SRVGGNetCompact, the compact one of Real-ESRGAN (`body.0.weight`, …: convolutions with PReLU, a
  pixel shuffle added to the image)
- ESPCN (convolutions alone, tanh between them, a pixel shuffle at the end), on RGB or on luma alone

Pixels go in and come out as 0…1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodes.huggingface.adapter_files import check_weight_dtypes
from nodes.huggingface.aura_sr import is_aura_sr
from nodetool_core import NodeError

if TYPE_CHECKING:
    import torch

Tensors = Mapping[str, "torch.Tensor"]


@dataclass(frozen=True)
class Upscaler:
    """A network, its scale and its channels."""

    module: torch.nn.Module
    """Maps (1, channels, height, width) to (1, channels, scale · height, scale · width)."""
    scale: int
    channels: int
    """3 for RGB, 1 for luma alone."""


def load_upscaler(tensors: Tensors, name: str) -> Upscaler:
    """
    Return the network of these tensors, on their device.

    Raises NodeError where the architecture is unknown.
    """
    import torch

    check_weight_dtypes(tensors, f"The network {name!r}", "model")
    tensors = _under_new_names(_without_prefix(tensors))
    make = (
        _rrdb
        if "conv_first.weight" in tensors
        else _compact
        if "body.0.weight" in tensors
        else _shuffled
    )
    try:
        with torch.device("meta"):
            output = make(tensors)
        output.module.load_state_dict(_matching(tensors, output.module), assign=True)
    except (KeyError, IndexError, StopIteration, ValueError, RuntimeError) as error:
        message = (
            f"The tensors of {name!r} are those of no network that is known here: RRDBNet,"
            " SRVGGNetCompact, ESPCN."
        )
        hint = (
            "Use the node AuraSR with this network."
            if is_aura_sr(tensors)
            else "Choose the safetensors file of such a network."
        )
        raise NodeError(message, hint, code="model_unfit", where="model") from error
    return Upscaler(output.module.eval().requires_grad_(False), output.scale, output.channels)


def _matching(tensors: Tensors, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors under the module's names, in float32; those of ESPCN by their order."""
    wanted = module.state_dict()
    found = wanted if set(wanted) <= set(tensors) else sorted(tensors, key=_natural)
    return {key: tensors[name].float() for key, name in zip(wanted, found, strict=True)}


def _natural(key: str) -> tuple[list[int | str], bool]:
    """Return a sort key: conv2 before conv10, the weight of a layer before its bias."""
    stem, _, kind = key.rpartition(".")
    return [
        int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", stem))
    ], kind == "bias"


def _without_prefix(tensors: Tensors) -> dict[str, torch.Tensor]:
    return {
        re.sub(r"^(params_ema|params|module|generator)\.", "", key): tensor
        for key, tensor in tensors.items()
    }


def _under_new_names(tensors: Tensors) -> dict[str, torch.Tensor]:
    """Rename the tensors of the first ESRGAN files as in the later ones."""
    if "model.0.weight" not in tensors:
        return dict(tensors)
    blocks = [
        int(found[1]) for key in tensors if (found := re.match(r"model\.1\.sub\.(\d+)\.", key))
    ]
    last = max(blocks)
    ups = sorted(
        {int(key.split(".")[1]) for key in tensors if re.fullmatch(r"model\.\d+\.weight", key)}
        - {0}
    )
    names = {
        "model.0": "conv_first",
        f"model.1.sub.{last}": "conv_body",
        f"model.{ups[-2]}": "conv_hr",
        f"model.{ups[-1]}": "conv_last",
    }
    names |= {
        f"model.{place}": f"conv_up{number}" for number, place in enumerate(ups[:-2], start=1)
    }
    renamed = {}
    for key, tensor in tensors.items():
        stem, _, kind = key.rpartition(".")
        inner = re.sub(
            r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0$", r"body.\1.rdb\2.conv\3", stem
        )
        renamed[f"{names.get(stem, inner)}.{kind}"] = tensor
    return renamed


def _rrdb(tensors: Tensors) -> Upscaler:
    import torch
    from torch import nn
    from torch.nn import functional

    width, in_channels = tensors["conv_first.weight"].shape[:2]
    channels = int(tensors["conv_last.weight"].shape[0])
    growth = int(tensors["body.0.rdb1.conv1.weight"].shape[0])
    depth = 1 + max(int(found[1]) for key in tensors if (found := re.match(r"body\.(\d+)\.", key)))
    ups = sum(1 for key in tensors if re.fullmatch(r"conv_up\d\.weight", key))
    fold = math.isqrt(in_channels // channels)
    scale = 2**ups // fold

    def conv(inputs: int, outputs: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, 3, padding=1)

    class Dense(nn.Module):
        """Five densely connected convolutions, each of which takes all outputs before it."""

        def __init__(self) -> None:
            super().__init__()
            for index in range(4):
                setattr(self, f"conv{index + 1}", conv(width + index * growth, growth))
            self.conv5 = conv(width + 4 * growth, width)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            output = [pixels]
            for index in range(4):
                output.append(
                    functional.leaky_relu(
                        getattr(self, f"conv{index + 1}")(torch.cat(output, 1)), 0.2
                    )
                )
            result: torch.Tensor = self.conv5(torch.cat(output, 1))
            return result * 0.2 + pixels

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rdb1, self.rdb2, self.rdb3 = Dense(), Dense(), Dense()

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.rdb3(self.rdb2(self.rdb1(pixels)))
            return result * 0.2 + pixels

    class RRDBNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_first = conv(in_channels, width)
            self.body = nn.Sequential(*(Residual() for _ in range(depth)))
            self.conv_body = conv(width, width)
            for number in range(1, ups + 1):
                setattr(self, f"conv_up{number}", conv(width, width))
            self.conv_hr, self.conv_last = conv(width, width), conv(width, channels)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            height, width = pixels.shape[2:]
            # pixel_unshuffle takes multiples of the fold only.
            whole = functional.pad(pixels, (0, -width % fold, 0, -height % fold), mode="replicate")
            first = self.conv_first(functional.pixel_unshuffle(whole, fold))
            output = first + self.conv_body(self.body(first))
            for number in range(1, ups + 1):
                output = functional.leaky_relu(
                    getattr(self, f"conv_up{number}")(
                        functional.interpolate(output, scale_factor=2)
                    ),
                    0.2,
                )
            result: torch.Tensor = self.conv_last(functional.leaky_relu(self.conv_hr(output), 0.2))
            return result[..., : height * scale, : width * scale]

    return Upscaler(RRDBNet(), scale, channels)


def _compact(tensors: Tensors) -> Upscaler:
    from torch import nn
    from torch.nn import functional

    places = sorted({int(key.split(".")[1]) for key in tensors if key.startswith("body.")})
    shapes = [tuple(tensors[f"body.{place}.weight"].shape) for place in places]
    channels = int(shapes[0][1])
    scale = math.isqrt(shapes[-1][0] // channels)
    if places != list(range(len(places))) or channels * scale**2 != shapes[-1][0]:
        raise ValueError("no compact network")

    class Compact(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers = [
                (
                    nn.PReLU(shape[0])
                    if len(shape) == 1
                    else nn.Conv2d(shape[1], shape[0], shape[2], padding=shape[2] // 2)
                )
                for shape in shapes
            ]
            self.body = nn.Sequential(*layers)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            plain = functional.interpolate(pixels, scale_factor=scale, mode="nearest")
            return functional.pixel_shuffle(self.body(pixels), scale) + plain

    return Upscaler(Compact(), scale, channels)


def _shuffled(tensors: Tensors) -> Upscaler:
    from torch import nn

    shapes = [
        tuple(tensors[key].shape)
        for key in sorted(tensors, key=_natural)
        if tensors[key].dim() == 4
    ]
    channels = int(shapes[0][1])
    scale = math.isqrt(shapes[-1][0] // channels)
    if channels not in (1, 3) or scale < 2 or channels * scale**2 != shapes[-1][0]:
        raise ValueError("no ESPCN")
    layers: list[nn.Module] = []
    for outputs, inputs, side, _ in shapes:
        layers += [nn.Conv2d(inputs, outputs, side, padding=side // 2), nn.Tanh()]
    return Upscaler(nn.Sequential(*layers[:-1], nn.PixelShuffle(scale)), scale, channels)
