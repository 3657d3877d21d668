"""The configuration of an AuraSR network, and the shape of each tensor that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

BLOCKS = 6
"""Residual blocks of a level."""

MODULATIONS = "style_to_conv_modulations"
"""The layer by whose tensors the network is recognized."""


class Level(NamedTuple):
    """One step of the way down or up."""

    inputs: int
    """Channels that come in."""
    outputs: int
    """Channels that go out."""
    attention: int
    """Layers of attention at its end, 0 for none."""


class StyleNetwork(BaseModel):
    """The layers that make a style of noise."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    dim_in: int = Field(default=128, ge=1)
    dim_out: int = Field(default=512, ge=1)
    depth: int = Field(default=8, ge=1)
    lr_mul: float = 0.1
    """Weights are multiplied by it."""


class Configuration(BaseModel):
    """
    What `config.json` says; the defaults are those of the published code.

    Keys that change nothing are passed over.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    dim: int = Field(ge=1)
    image_size: int = Field(ge=2)
    input_image_size: int = Field(ge=1)
    style_network: StyleNetwork
    up_dim_mults: tuple[int, ...] = Field(default=(1, 2, 4, 8, 16), min_length=1)
    down_dim_mults: tuple[int, ...] = Field(default=(4, 8, 16), min_length=1)
    full_attn: tuple[bool, ...] = (False, False, False, True, True)
    attn_depths: tuple[int, ...] = (2, 2, 2, 2, 4)
    self_attn_dim_head: int = Field(default=64, ge=1)
    self_attn_heads: int = Field(default=8, ge=1)
    mid_attn_depth: int = Field(default=4, ge=0)
    num_conv_kernels: int = Field(default=4, ge=1)
    skip_connect_scale: float = 2**-0.5

    @model_validator(mode="after")
    def _check(self) -> Self:
        ups, downs = len(self.up_dim_mults), len(self.down_dim_mults)
        if self.down_dim_mults != self.up_dim_mults[ups - downs :]:
            raise ValueError("down_dim_mults are not the last of up_dim_mults")
        if not len(self.full_attn) == len(self.attn_depths) == ups:
            raise ValueError(f"full_attn and attn_depths are not as many as up_dim_mults ({ups})")
        if (
            self.image_size != self.input_image_size * self.scale
            or self.input_image_size % 2**downs
        ):
            raise ValueError(
                f"image_size {self.image_size} can't be had from input_image_size"
                f" {self.input_image_size} with these levels"
            )
        return self

    @property
    def scale(self) -> int:
        """How many times as long the sides become."""
        return 1 << (len(self.up_dim_mults) - len(self.down_dim_mults))

    @property
    def downs(self) -> list[Level]:
        """The levels of the way down, in order."""
        widths = self._widths[len(self.up_dim_mults) - len(self.down_dim_mults) :]
        return [Level(*level) for level in zip(widths, widths[1:], self._attention, strict=False)]

    @property
    def ups(self) -> list[Level]:
        """
        The levels of the way up, in order.

        As many as there are downs take twice the channels: their own, and the mirrored ones.
        """
        widths = self._widths[::-1]
        return [
            Level(*level) for level in zip(widths, widths[1:], self._attention[::-1], strict=False)
        ]

    @property
    def _widths(self) -> list[int]:
        """Channels at each size, from the largest to the smallest."""
        return [self.dim, *(self.dim * factor for factor in self.up_dim_mults)]

    @property
    def _attention(self) -> list[int]:
        return [
            depth if is_full else 0
            for depth, is_full in zip(self.attn_depths, self.full_attn, strict=True)
        ]


@cache
def published() -> Configuration:
    """Return the configuration of `fal/AuraSR` and `fal/AuraSR-v2`."""
    return Configuration(
        dim=64,
        image_size=256,
        input_image_size=64,
        style_network=StyleNetwork(dim_in=128, dim_out=512, depth=4),
        skip_connect_scale=0.4,
    )


def shapes(config: Configuration) -> Shapes:
    """
    Return the shape of every tensor of a network by name, in the order in which they are used.
    """
    kernels, style = config.num_conv_kernels, config.style_network
    widest = config.ups[0].inputs
    inner = config.self_attn_heads * config.self_attn_dim_head
    found = _convolution("init_conv", 3, config.downs[0].inputs, 7)
    for place, level in enumerate(config.downs):
        for block in range(BLOCKS):
            found |= _residual(f"downs.{place}.0.{block}", level.inputs, level.inputs, kernels)
        found |= _transformer(f"downs.{place}.1.0", level.inputs, inner, level.attention)
        found |= _convolution(f"downs.{place}.1.1", level.inputs, level.outputs, 3)
    found |= _residual("mid_block1", widest, widest, kernels)
    found |= _transformer("mid_attn", widest, inner, config.mid_attn_depth)
    found |= _residual("mid_block2", widest, widest, kernels)
    for place, level in enumerate(config.ups):
        found |= _convolution(f"ups.{place}.1.0.conv", level.inputs, level.outputs, 3)
        for block in range(BLOCKS):
            joined = level.outputs * (2 if place < len(config.downs) else 1)
            found |= _residual(f"ups.{place}.0.{block}", joined, level.outputs, kernels)
        found |= _transformer(f"ups.{place}.1.1", level.outputs, inner, level.attention)
    found |= _residual("final_res_block", config.dim, config.dim, kernels)
    found |= _convolution("final_to_rgb", config.dim, 3, 1)
    found |= _linear(MODULATIONS, style.dim_out, sum(modulated_convolutions(found).values()))
    for place in range(style.depth):
        found |= _linear(
            f"style_network.net.{2 * place}",
            style.dim_out if place else style.dim_in,
            style.dim_out,
        )
    return found


def modulated_convolutions(found: Mapping[str, Shape]) -> dict[str, int]:
    """
    Return the adaptive convolutions, and how many numbers modulate each.

    One for each input channel, and one for each kernel.
    """
    suffix = ".weights"
    return {
        name.removesuffix(suffix): shape[2] + shape[0]
        for name, shape in found.items()
        if name.endswith(suffix)
    }


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _convolution(name: str, inputs: int, outputs: int, side: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, side, side), f"{name}.bias": (outputs,)}


def _residual(name: str, inputs: int, outputs: int, kernels: int) -> Shapes:
    adaptive = {
        f"{name}.block1.proj.weights": (kernels, outputs, inputs, 3, 3),
        f"{name}.block2.proj.weights": (kernels, outputs, outputs, 3, 3),
    }
    return adaptive | (
        _convolution(f"{name}.res_conv", inputs, outputs, 1) if inputs != outputs else {}
    )


def _transformer(name: str, width: int, inner: int, depth: int) -> Shapes:
    found: Shapes = {}
    for place in range(depth):
        attention, forward = f"{name}.layers.{place}.0", f"{name}.layers.{place}.1"
        found |= {f"{attention}.norm.g": (1, width, 1, 1), f"{forward}.0.g": (1, width, 1, 1)}
        # Published, though nothing is computed with it.
        found |= {f"{attention}.attend.scale": (1,)}
        found |= {f"{attention}.to_qkv.weight": (3 * inner, width, 1, 1)} | _convolution(
            f"{attention}.to_out", inner, width, 1
        )
        found |= _convolution(f"{forward}.1", width, 4 * width, 1) | _convolution(
            f"{forward}.3", 4 * width, width, 1
        )
    return found
