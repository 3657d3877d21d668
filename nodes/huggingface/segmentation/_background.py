"""The subject of an image, without its background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.isnet import SIDE, load_isnet
from nodes.huggingface.masks import box_sums
from nodes.huggingface.model_kinds import BackgroundModel, MattingModel
from nodes.huggingface.networks import model_unfit, network_output, prepared
from nodes.huggingface.segmentation._cutout import Cutout, cut_out, mask_of
from nodetool_core import Context, Field, ImageRef, NodeError

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from nodetool_core.context import Lease
    from nodetool_core.models.components.networks import ModelPart

BACKGROUND_MODEL: Final = "briaai/RMBG-1.4"
MATTING_MODEL: Final = "hustvl/vitmatte-small-composition-1k"

_BACKGROUNDS: Final = ("background", "other", "unlabeled")
"""What networks call what is nothing in particular, in small letters."""


class RemoveBackground(DiffusionNode):
    """
    Cuts the subject of an image out of its background. Takes IS-Net files such as RMBG-1.4, named
    in the model's `path`, and networks for semantic segmentation of transformers that have a class
    for the background or one class alone. Repositories with code of their own (RMBG-2.0, BiRefNet)
    are refused: code beside a model is never run.
    image, segmentation, background removal, cutout, mask, matting, product photo

    Use cases:
    - Put a product or a person before another background
    - Mask the subject, to work on the background alone
    """

    synonyms = (
        "rembg",
        "RMBG",
        "BiRefNet",
        "Background Removal",
        "Select Subject",
        "Remove BG",
        "InspyreNet",
    )

    model: BackgroundModel = Field(
        default=BackgroundModel(repo_id=BACKGROUND_MODEL, path="model.safetensors"),
        description=(
            "A network that finds the subject; downloaded when first used. The licence of RMBG-1.4"
            " allows no commercial use."
        ),
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to cut the subject out of.")

    def process(self, context: Context) -> Cutout:
        import torch

        source = source_image(context, self.image, "image")
        is_file = bool(self.model.path) or self.model.repo_id.endswith(".safetensors")
        task = "tensors" if is_file else "network"
        with context.models.use(self.model, task, context=context) as lease, torch.no_grad():
            shares = (
                _isnet_shares(lease, source, self.model.repo_id)
                if is_file
                else _subject_shares(lease.part, source)
            )
            mask = mask_of(shares, source.size)
        return cut_out(mask, self.image, context)


class RefineMatte(DiffusionNode):
    """
    Refines the edge of a mask where hair, fur or glass let the background through. Takes ViTMatte
    networks. Within `edge` pixels of the mask's edge the network decides; the rest stays.
    image, matting, alpha, hair, trimap, mask, refine edge

    Use cases:
    - Cut out hair after RemoveBackground or SelectObject
    - Make a soft mask of a rough one that was painted by hand
    """

    synonyms = (
        "Refine Edge",
        "Select and Mask",
        "ViTMatte",
        "Trimap",
        "Alpha Matting",
        "Hair Mask",
    )

    model: MattingModel = Field(
        default=MattingModel(repo_id=MATTING_MODEL),
        description="A ViTMatte network; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image that the mask is of.")
    rough_mask: ImageRef = Field(
        default=ImageRef(), description="Rough mask, white inside; brought to the image's size."
    )
    edge: int = Field(
        default=16,
        ge=1,
        le=512,
        description="How far to both sides of the mask's edge the network decides, in pixels.",
    )
    longest_side: int = Field(
        default=1024,
        ge=64,
        le=4096,
        description="Longest side at which the network works, in pixels; larger needs more memory.",
    )

    def process(self, context: Context) -> Cutout:
        import torch

        source = source_image(context, self.image, "image")
        rough = source_image(context, self.rough_mask, "rough_mask", "L").resize(source.size)
        inside, outside = _sure_parts(rough, self.edge)
        with context.models.use(self.model, "network", context=context) as lease, torch.no_grad():
            part = lease.part
            if "ImageMatting" not in type(part.model).__name__:
                raise model_unfit(
                    part.model, "finds no mattes", "a ViTMatte network", MATTING_MODEL
                )
            matte = _matte(part, source, inside, outside, self.longest_side)
        matte.paste(255, mask=inside)
        matte.paste(0, mask=outside)
        return cut_out(matte, self.image, context)


def _isnet_shares(lease: Lease, source: Image.Image, name: str) -> torch.Tensor:
    """Return how much of each part is the subject, by IS-Net, over the whole range."""
    import torch

    network = load_isnet(lease.part.tensors, name).to(lease.part.device)
    pixels = prepared(source, (SIDE, SIDE), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
    shares: torch.Tensor = torch.sigmoid(network(pixels.to(lease.part.device)))[0, 0]
    low, high = shares.min(), shares.max()
    return (shares - low) / (high - low) if high > low else shares


def _subject_shares(part: ModelPart, source: Image.Image) -> torch.Tensor:
    """Return how much of each part is not the background, by a network with classes."""
    import torch

    odds = getattr(network_output(part, source), "logits", None)
    if odds is None or odds.dim() != 4:
        raise model_unfit(
            part.model, "finds no subjects", "a network for background removal", BACKGROUND_MODEL
        )
    if odds.shape[1] == 1:
        return torch.sigmoid(odds.float())[0, 0]
    names = {int(number): str(name) for number, name in part.model.config.id2label.items()}
    behind = [number for number, name in names.items() if name.lower() in _BACKGROUNDS]
    if not behind:
        raise NodeError(
            f"{type(part.model).__name__} has no class for the background.",
            "Choose a network with one, or SegmentImage to mask one of its classes.",
            code="model_unfit",
            where="model",
        )
    return 1 - torch.softmax(odds.float(), dim=1)[0, behind].sum(dim=0)


def _sure_parts(rough: Image.Image, edge: int) -> tuple[Image.Image, Image.Image]:
    """Return what is surely inside and surely outside of a rough mask, as masks."""
    import numpy as np
    from PIL import Image as Pillow

    inside = np.asarray(rough) >= 128
    around = box_sums(np.ones_like(inside), edge)
    shares = box_sums(inside, edge)
    parts = (shares == around, shares == 0)
    first, second = (Pillow.fromarray(part.astype(np.uint8) * 255) for part in parts)
    return first, second


def _matte(
    part: ModelPart, source: Image.Image, inside: Image.Image, outside: Image.Image, longest: int
) -> Image.Image:
    """Return what ViTMatte finds, in the image's size."""
    import torch
    from PIL import Image as Pillow

    share = min(1.0, longest / max(source.size))
    size = (max(1, round(source.width * share)), max(1, round(source.height * share)))
    pixels = prepared(source, size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    trimap = Pillow.new("L", source.size, 128)
    trimap.paste(255, mask=inside)
    trimap.paste(0, mask=outside)
    small = trimap.resize(size, Pillow.Resampling.NEAREST)
    known = prepared(small, size, (0.0,), (1.0,))
    whole = torch.cat((pixels, known), 1)
    # The network takes multiples of 32.
    whole = torch.nn.functional.pad(whole, (0, -size[0] % 32, 0, -size[1] % 32))
    model = part.model
    alphas = model(whole.to(model.device, model.dtype)).alphas
    return mask_of(alphas[0, 0, : size[1], : size[0]], source.size)
