"""
Enlarging images with AuraSR, tile by tile.

The network takes tiles of one size and knows nothing of what is beside them, so an image is padded
to whole tiles by reflection. Where tiles are to overlap, a second layer of tiles lies half a tile
further in both directions; at each pixel, the nearer a tile's middle is, the more that tile counts.
Both layers' weights are one map, because they repeat from tile to tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from nodes._geometry import check_size
from nodes.huggingface import diffusion as shared
from nodes.huggingface.aura_sr import Network, aura_sr
from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.image_to_image._upscaling import with_transparency
from nodes.huggingface.model_kinds import UpscalerModel
from nodes.huggingface.noise import seeded_generator
from nodetool_core import Context, Field, ImageRef

if TYPE_CHECKING:
    import torch
    from PIL import Image

_DITHER = 0.001
"""Standard deviation of the noise that the network was trained to see on each tile."""


class AuraSR(DiffusionNode):
    """
    Enlarges an image four times with AuraSR, a generative network that adds plausible detail, in
    one pass and without a prompt. Made for generated images. Works in tiles, so that an image of
    any size fits into memory.
    image, upscale, super-resolution, enlarge, aurasr, gan

    Use cases:
    - Bring a generated image to the size of a print
    - Give an enlarged image crisp details without a prompt
    """

    synonyms = ("GAN Upscaler", "Super Resolution 4x")

    image: ImageRef = Field(
        default=ImageRef(), description="Image to enlarge; its transparency is enlarged as well."
    )
    model: UpscalerModel = Field(
        default=UpscalerModel(repo_id="fal/AuraSR-v2"),
        description=(
            "`fal/AuraSR-v2`, `fal/AuraSR`, or a directory with such a network's"
            " `model.safetensors` and `config.json`."
        ),
    )
    overlap: bool = Field(
        default=True,
        description=(
            "Enlarge a second layer of tiles, shifted by half a tile, and blend both: hides the"
            " seams, for twice the time."
        ),
    )
    batch_size: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Tiles per batch; fewer take less memory.",
    )
    seed: int = shared.SEED

    def process(self, context: Context) -> Annotated[ImageRef, "The enlarged image, RGB or RGBA."]:
        import torch

        from nodetool_core.assets.modes import in_mode

        source = source_image(context, self.image, "image", "RGBA")
        generator = seeded_generator(self.seed, context)
        with context.models.use(self.model, "tensors", context=context) as lease:
            part = lease.part
            network = aura_sr(part.tensors, part.config, self.model.repo_id)
            factor = network.config.scale
            check_size(
                source.width * factor, source.height * factor, "Put a Fit in front of this node."
            )
            network = network.to(
                part.device, getattr(torch, self.model.dtype) if self.model.dtype else None
            )
            enlarged = _enlarged(
                network, in_mode(source, "RGB"), self.overlap, self.batch_size, generator, context
            )
        return context.image_from_pil(with_transparency(enlarged, source))


class _Tile(NamedTuple):
    left: int
    """
    Where the image has its left edge, in pixels; below 0 or partly beyond the image at its edges.
    """
    upper: int
    pixels: Any
    """(side, side, 3), 0…1."""


def _enlarged(
    network: Network,
    image: Image.Image,
    overlap: bool,
    batch_size: int,
    generator: torch.Generator,
    context: Context,
) -> Image.Image:
    """Return the image through the network, some tiles at a time."""
    import numpy as np
    from PIL import Image as Pillow

    side, factor = network.config.input_image_size, network.config.scale
    tiles = _tiles(image, side, overlap)
    weights = (
        _blend_weights(side * factor)
        if overlap
        else np.ones((side * factor, side * factor, 1), np.float32)
    )
    canvas = np.zeros((image.height * factor, image.width * factor, 3), np.float32)
    for start in range(0, len(tiles), batch_size):
        batch = tiles[start : start + batch_size]
        for tile, large in zip(batch, _upscale_batch(network, batch, generator), strict=True):
            left, upper = tile.left * factor, tile.upper * factor
            part = (large * weights)[
                max(0, -upper) : canvas.shape[0] - upper, max(0, -left) : canvas.shape[1] - left
            ]
            upper, left = max(0, upper), max(0, left)
            canvas[upper : upper + part.shape[0], left : left + part.shape[1]] += part
        context.progress(start + len(batch), len(tiles))
    return Pillow.fromarray(np.rint(canvas * 255).clip(0, 255).astype(np.uint8))


def _tiles(image: Image.Image, side: int, overlap: bool) -> list[_Tile]:
    """
    Return the tiles of one layer, or of both; those that show nothing of the image are left out.
    """
    import numpy as np

    pixels = np.asarray(image, np.float32) / 255
    whole = np.pad(
        pixels, ((0, -image.height % side), (0, -image.width % side), (0, 0)), mode="reflect"
    )
    margin = side // 2
    layers = [(0, whole)]
    if overlap:
        layers.append(
            (margin, np.pad(whole, ((margin, margin), (margin, margin), (0, 0)), mode="reflect"))
        )
    return [
        _Tile(left - shift, upper - shift, layer[upper : upper + side, left : left + side])
        for shift, layer in layers
        for upper in range(0, image.height + shift, side)
        for left in range(0, image.width + shift, side)
    ]


def _blend_weights(side: int) -> Any:
    """
    Return how much each pixel of a tile counts beside those of the other layer.

    (side, side, 1), from 1 in the middle to 0 at the corners.
    """
    import numpy as np

    places = np.linspace(-1, 1, side, dtype=np.float32)
    weights = np.exp(-16 * (places[:, None] ** 2 + places[None, :] ** 2))
    others = np.roll(weights, (side // 2, side // 2), (0, 1))
    return (weights / (weights + others))[..., None]


def _upscale_batch(network: Network, tiles: list[_Tile], generator: torch.Generator) -> Any:
    """
    Tiles, enlarged: (count, scale·side, scale·side, 3), 0…1.

    Noise is drawn for each tile in turn, on the CPU, so that neither the batch nor the device
    changes what is drawn.
    """
    import numpy as np
    import torch

    like = network.tensors["final_to_rgb.bias"]
    noise, noisy = [], []
    for tile in tiles:
        noise.append(torch.randn(network.config.style_network.dim_in, generator=generator))
        pixels = torch.from_numpy(np.moveaxis(tile.pixels, -1, 0).copy())
        noisy.append(
            (pixels + torch.randn(pixels.shape, generator=generator) * _DITHER).clamp(0, 1)
        )
    with torch.no_grad():
        upscaled = network(torch.stack(noisy).to(like), torch.stack(noise).to(like))
    return upscaled.float().clamp(0, 1).movedim(1, -1).cpu().numpy()
