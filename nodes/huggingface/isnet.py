"""
IS-Net, a network that finds the subject of an image, from the tensors of a safetensors file.

A U-Net whose stages are U-Nets themselves (RSU: residual U-blocks). Six stages go down, five up;
the outermost gives the mask. Widths are read off the tensors' shapes, whose names are those of the
published files (`stage1.rebnconvin.conv_s1.weight`, …): IS-Net for general use, RMBG-1.4.

X. Qin et al., Highly Accurate Dichotomous Image Segmentation, 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from nodes.huggingface.adapter_files import check_weight_dtypes
from nodetool_core import NodeError

if TYPE_CHECKING:
    import torch

SIDE: Final = 1024
"""Side of the square that the networks were trained on, in pixels."""

_DEPTHS: Final = {
    "stage1": 7,
    "stage2": 6,
    "stage3": 5,
    "stage4": 4,
    "stage5": 0,
    "stage6": 0,
    "stage5d": 0,
    "stage4d": 4,
    "stage3d": 5,
    "stage2d": 6,
    "stage1d": 7,
}
"""Levels of each stage's own U-Net; 0 for one that widens its view by dilation instead."""


def load_isnet(tensors: Mapping[str, torch.Tensor], name: str) -> torch.nn.Module:
    """
    Return the network of these tensors, on their device.

    It maps (1, 3, 1024, 1024) from -0.5 to 0.5 to the odds of the subject, (1, 1, 512, 512).

    Raises NodeError where the tensors are those of another network.
    """
    import torch

    check_weight_dtypes(tensors, f"The network {name!r}", "model")
    try:
        with torch.device("meta"):
            module = _network(tensors)
        wanted = module.state_dict()
        module.load_state_dict(
            {
                key: tensors[key].to(
                    torch.float32 if tensors[key].is_floating_point() else torch.int64
                )
                for key in wanted
            },
            assign=True,
        )
    except (KeyError, RuntimeError) as error:
        raise NodeError(
            f"The tensors of {name!r} are not those of IS-Net.",
            "Choose the safetensors file of such a network, such as RMBG-1.4, or a repository of a"
            " network of transformers without a path.",
            code="model_unfit",
            where="model",
        ) from error
    return module.eval().requires_grad_(False)


def _network(tensors: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    import torch
    from torch import nn
    from torch.nn import functional

    class Layer(nn.Module):
        """A convolution, normalized and rectified."""

        def __init__(self, name: str, dilation: int) -> None:
            super().__init__()
            outputs, inputs = tensors[f"{name}.conv_s1.weight"].shape[:2]
            self.conv_s1 = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
            self.bn_s1 = nn.BatchNorm2d(outputs)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            normalized: torch.Tensor = self.bn_s1(self.conv_s1(pixels))
            return functional.relu(normalized)

    class Stage(nn.Module):
        """A residual U-block."""

        def __init__(self, name: str, depth: int) -> None:
            super().__init__()
            self.levels = depth or 4
            self.shrinks = bool(depth)
            self.rebnconvin = Layer(f"{name}.rebnconvin", 1)
            for level in range(1, self.levels + 1):
                dilation = (2 if level == depth else 1) if depth else 2 ** (level - 1)
                setattr(self, f"rebnconv{level}", Layer(f"{name}.rebnconv{level}", dilation))
            for level in range(1, self.levels):
                dilation = 1 if depth else 2 ** (level - 1)
                setattr(self, f"rebnconv{level}d", Layer(f"{name}.rebnconv{level}d", dilation))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            whole = self.rebnconvin(pixels)
            output, levels = whole, []
            for level in range(1, self.levels):
                output = getattr(self, f"rebnconv{level}")(output)
                levels.append(output)
                if self.shrinks and level < self.levels - 1:
                    output = functional.max_pool2d(output, 2, 2, ceil_mode=True)
            output = getattr(self, f"rebnconv{self.levels}")(output)
            for level in range(self.levels - 1, 0, -1):
                beside = levels[level - 1]
                output = getattr(self, f"rebnconv{level}d")(
                    torch.cat((_enlarged(output, beside), beside), 1)
                )
            summed: torch.Tensor = whole + output
            return summed

    class ISNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            outputs, inputs = tensors["conv_in.weight"].shape[:2]
            self.conv_in = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
            for name, depth in _DEPTHS.items():
                setattr(self, name, Stage(name, depth))
            self.side1 = nn.Conv2d(tensors["side1.weight"].shape[1], 1, 3, padding=1)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            output, stages = self.conv_in(pixels), []
            for number in range(1, 7):
                output = getattr(self, f"stage{number}")(output)
                stages.append(output)
                if number < 6:
                    output = functional.max_pool2d(output, 2, 2, ceil_mode=True)
            for number in range(5, 0, -1):
                beside = stages[number - 1]
                output = getattr(self, f"stage{number}d")(
                    torch.cat((_enlarged(output, beside), beside), 1)
                )
            mask: torch.Tensor = self.side1(output)
            return mask

    return ISNet()


def _enlarged(pixels: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return pixels in the size of others."""
    from torch.nn import functional

    if pixels.shape[2:] == like.shape[2:]:
        return pixels
    return functional.interpolate(pixels, like.shape[2:], mode="bilinear", align_corners=False)
