"""
AuraSR: a generative adversarial network that enlarges images, from its published files.

It is a U-Net after GigaGAN (M. Kang and others, Scaling up GANs for Text-to-Image Synthesis, 2023)
with more levels up than down:

    noise -> style_network -> style_to_conv_modulations -> modulation of each convolution
    tile  -> init_conv -> downs -> mid_block1, mid_attn, mid_block2 -> ups
          -> final_res_block -> final_to_rgb -> tile, `scale` times as wide

- A convolution has a bank of kernels. The style sets how they are mixed and the weight of each
  input channel; the mix is then scaled so that each output channel keeps its variance. So every
  tile has its own kernels, and a batch is one grouped convolution.
- A level has six residual blocks. Each block on the way up also takes the output of the mirrored
  block on the way down (skip connection).
- Where `full_attn` says so, a level ends with layers that attend over all its pixels.

`model.safetensors` holds the tensors by the names that are used here, `config.json` what their
shapes do not state (`aura_sr_config.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from nodes.huggingface.adapter_files import check_weight_dtypes
from nodes.huggingface.aura_sr_config import (
    BLOCKS,
    MODULATIONS,
    Configuration,
    Shape,
    modulated_convolutions,
    published,
    shapes,
)
from nodetool_core import NodeError

if TYPE_CHECKING:
    import torch


def is_aura_sr(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Return whether these look like the tensors of such a network."""
    return f"{MODULATIONS}.weight" in tensors


def aura_sr(
    tensors: Mapping[str, torch.Tensor], config: Mapping[str, object], name: str
) -> Network:
    """
    Return the network of a file's tensors and of what the `config.json` beside it says.

    Without one, that of the published networks.

    `name` is what the user called the model. Raises NodeError where tensors and configuration are
    not those of one network.
    """
    if not is_aura_sr(tensors):
        message = (
            f"The tensors of {name!r} are not those of AuraSR: they lack {MODULATIONS}.weight."
        )
        raise _unfit(
            message,
            "Choose such a network, as fal/AuraSR-v2, or use Upscale for Real-ESRGAN, ESRGAN and"
            " ESPCN.",
        )
    check_weight_dtypes(tensors, f"The network {name!r}", "model")
    known = _configuration(config, name) if config else published()
    wrong = _differences(
        shapes(known), {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    )
    if wrong and config:
        raise _unfit(
            f"The tensors of {name!r} do not fit its config.json: {_listed(wrong)}.", _AGAIN
        )
    if wrong:
        message = (
            f"{name!r} has no config.json beside its tensors, which are not those of the published"
            f" networks: {_listed(wrong)}."
        )
        raise _unfit(
            message,
            "Set the model to the directory or repository that has both files, and leave `path`"
            " empty.",
        )
    return Network(known, tensors)


_AGAIN = "Fetch model.safetensors and config.json again, from one place."


def _configuration(config: Mapping[str, object], name: str) -> Configuration:
    try:
        return Configuration.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = ": ".join(
            filter(
                None, (".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, "))
            )
        )
        raise _unfit(
            f"The config.json of {name!r} is not that of AuraSR: {what}.", _AGAIN
        ) from error


def _differences(wanted: Mapping[str, Shape], given: Mapping[str, Shape]) -> list[str]:
    missing = [f"{name} is missing" for name in wanted if name not in given]
    unknown = [f"{name} is unknown" for name in given if name not in wanted]
    shared = [name for name in wanted if name in given]
    return (
        missing
        + unknown
        + [
            f"{name} is {given[name]}, not {wanted[name]}"
            for name in shared
            if given[name] != wanted[name]
        ]
    )


def _listed(wrong: list[str]) -> str:
    return "; ".join(wrong[:3] + ([f"and {len(wrong) - 3} more"] if len(wrong) > 3 else []))


def _unfit(message: str, hint: str) -> NodeError:
    return NodeError(message, hint, code="model_unfit", where="model")


@dataclass(frozen=True)
class Network:
    """A network over its tensors, which it does not change."""

    config: Configuration
    tensors: Mapping[str, torch.Tensor]

    def to(self, device: str, dtype: torch.dtype | None = None) -> Network:
        """Return the network on a device, and in another number format where one is named."""
        return Network(
            self.config,
            {name: tensor.to(device=device, dtype=dtype) for name, tensor in self.tensors.items()},
        )

    def __call__(self, tiles: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """
        Enlarge tiles.

        Args:
            tiles: (count, 3, side, side), 0…1; the side is `input_image_size`.
            noise: (count, style_network.dim_in), normally distributed: what is to be seen where a
                tile does not tell.

        Returns (count, 3, scale·side, scale·side), about 0…1.
        """
        import torch
        from torch.nn import functional

        config, styles = self.config, self._styles(noise)
        pixels = self._convolved("init_conv", tiles)
        skips: list[torch.Tensor] = []
        for place, level in enumerate(config.downs):
            for block in range(BLOCKS):
                pixels = self._residual(f"downs.{place}.0.{block}", pixels, styles)
                skips.append(pixels * config.skip_connect_scale)
            pixels = self._attended(f"downs.{place}.1.0", pixels, level.attention)
            pixels = self._convolved(f"downs.{place}.1.1", pixels, stride=2)
        pixels = self._residual("mid_block1", pixels, styles)
        pixels = self._attended("mid_attn", pixels, config.mid_attn_depth)
        pixels = self._residual("mid_block2", pixels, styles)
        for place, level in enumerate(config.ups):
            pixels = self._convolved(
                f"ups.{place}.1.0.conv",
                functional.interpolate(pixels, scale_factor=2.0, mode="nearest"),
            )
            for block in range(BLOCKS):
                joined = torch.cat((pixels, skips.pop()), 1) if skips else pixels
                pixels = self._residual(f"ups.{place}.0.{block}", joined, styles)
            pixels = self._attended(f"ups.{place}.1.1", pixels, level.attention)
        return self._convolved("final_to_rgb", self._residual("final_res_block", pixels, styles))

    def _styles(self, noise: torch.Tensor) -> dict[str, torch.Tensor]:
        """
        Return what modulates each adaptive convolution, by its name.

        (count, input channels + kernels).
        """
        import torch
        from torch.nn import functional

        factor = self.config.style_network.lr_mul
        values = functional.normalize(noise, dim=1)
        for place in range(self.config.style_network.depth):
            weight, bias = self._layer(f"style_network.net.{2 * place}")
            values = functional.leaky_relu(
                functional.linear(values, weight * factor, bias * factor), 0.2
            )
        widths = modulated_convolutions(shapes(self.config))
        parts = torch.split(
            functional.linear(values, *self._layer(MODULATIONS)), list(widths.values()), dim=1
        )
        return dict(zip(widths, parts, strict=True))

    def _residual(
        self, name: str, pixels: torch.Tensor, styles: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        output = self._adaptive(
            f"{name}.block2.proj", self._adaptive(f"{name}.block1.proj", pixels, styles), styles
        )
        return output + (
            self._convolved(f"{name}.res_conv", pixels)
            if f"{name}.res_conv.weight" in self.tensors
            else pixels
        )

    def _adaptive(
        self, name: str, pixels: torch.Tensor, styles: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """Return a convolution of 3 by 3 with a kernel for each tile, and what it activates."""
        import torch
        from torch.nn import functional

        bank = self.tensors[f"{name}.weights"]
        gains, mix = torch.split(styles[name], [bank.shape[2], bank.shape[0]], dim=1)
        kernels = (
            torch.einsum("bn,noihw->boihw", mix.softmax(dim=1), bank)
            * (gains + 1)[:, None, :, None, None]
        )
        kernels = kernels * kernels.square().sum((2, 3, 4), keepdim=True).clamp(min=1e-8).rsqrt()
        count, _, height, width = pixels.shape
        output = functional.conv2d(
            pixels.reshape(1, -1, height, width), kernels.flatten(0, 1), padding=1, groups=count
        )
        return functional.silu(output.view(count, -1, height, width))

    def _attended(self, name: str, pixels: torch.Tensor, depth: int) -> torch.Tensor:
        from torch.nn import functional

        for place in range(depth):
            attention, forward = f"{name}.layers.{place}.0", f"{name}.layers.{place}.1"
            pixels = (
                self._attention(attention, self._normalized(f"{attention}.norm", pixels)) + pixels
            )
            inner = functional.gelu(
                self._convolved(f"{forward}.1", self._normalized(f"{forward}.0", pixels))
            )
            pixels = self._convolved(f"{forward}.3", inner) + pixels
        return pixels

    def _attention(self, name: str, pixels: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        count, _, height, width = pixels.shape
        projected = functional.conv2d(pixels, self.tensors[f"{name}.to_qkv.weight"])
        heads = projected.view(
            count, 3, self.config.self_attn_heads, self.config.self_attn_dim_head, height * width
        )
        queries, keys, values = heads.transpose(3, 4).unbind(1)
        found = functional.scaled_dot_product_attention(queries, keys, values)
        return self._convolved(
            f"{name}.to_out", found.transpose(2, 3).reshape(count, -1, height, width)
        )

    def _normalized(self, name: str, pixels: torch.Tensor) -> torch.Tensor:
        """Return each pixel's channels, brought to one length, times a factor of their own."""
        from torch.nn import functional

        gains: torch.Tensor = self.tensors[f"{name}.g"]
        return functional.normalize(pixels, dim=1) * gains * math.sqrt(pixels.shape[1])

    def _convolved(self, name: str, pixels: torch.Tensor, stride: int = 1) -> torch.Tensor:
        from torch.nn import functional

        weight, bias = self._layer(name)
        return functional.conv2d(pixels, weight, bias, stride=stride, padding=weight.shape[-1] // 2)

    def _layer(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
