"""
A request of the AUTOMATIC1111 web UI's API.

Clients send their whole form, with everything at its default, and `null` counts as left out. Fields
that the API does not have are kept: they are inputs of workflows by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.references import ImageRef
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.json_body import Body, checked, read_object, without_nulls

MOST_IMAGES: Final = 32
"""Images of one request: `batch_size` times `n_iter`."""

LARGEST_SIDE: Final = 8192
_MOST_SEEDS: Final = 2**64

NEUTRAL: Final[Mapping[str, tuple[Json, ...]]] = {
    "restore_faces": (False,),
    "tiling": (False,),
    "styles": ([],),
    "eta": (0, 1),
    "s_min_uncond": (0,),
    "s_churn": (0,),
    "s_tmax": (0,),
    "s_tmin": (0,),
    "s_noise": (1,),
    "enable_hr": (False,),
    "hr_checkpoint_name": ("", "Use same checkpoint"),
    "refiner_checkpoint": ("", "None"),
    "image_cfg_scale": (1.5,),
    "initial_noise_multiplier": (1,),
    "save_images": (False,),
    "comments": ({},),
    "disable_extra_networks": (False,),
}
"""Fields with which a client asks for nothing, as long as they have one of these values."""

MEANINGLESS: Final = frozenset(
    {
        "do_not_save_grid",
        "do_not_save_samples",
        "firstphase_height",
        "firstphase_width",
        "force_task_id",
        "hr_additional_modules",
        "hr_distilled_cfg",
        "override_settings_restore_afterwards",
        "refiner_switch_at",
        "script_args",
    }
)
"""Fields that mean something beside another one alone, or that nothing here depends on."""


class GenerationBody(BaseModel):
    """The fields of a request for images, made of a text."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    prompt: str = Field(default="", max_length=32_000, description="What to draw.")
    negative_prompt: str = Field(default="", max_length=32_000)
    seed: int = Field(
        default=-1, ge=-1, lt=_MOST_SEEDS, description="Counts up from image to image; -1 draws it."
    )
    subseed: int = Field(
        default=-1, ge=-1, lt=_MOST_SEEDS, description="Mixed into the seed; -1 draws it."
    )
    subseed_strength: float = Field(
        default=0, ge=0, le=1, description="How far the noise is that of the subseed."
    )
    seed_resize_from_h: int = Field(
        default=-1, ge=-1, le=LARGEST_SIDE, description="Pixels, of an image with the same seed."
    )
    seed_resize_from_w: int = Field(default=-1, ge=-1, le=LARGEST_SIDE, description="Pixels.")
    sampler_name: str | None = Field(default=None, description="A name that /samplers lists.")
    sampler_index: str | None = Field(default=None, description="The same, by its old name.")
    scheduler: str | None = Field(default=None, description="A name that /schedulers lists.")
    steps: int | None = Field(default=None, ge=1)
    cfg_scale: float | None = Field(default=None, ge=0)
    width: int | None = Field(default=None, ge=1, le=LARGEST_SIDE, description="Pixels.")
    height: int | None = Field(default=None, ge=1, le=LARGEST_SIDE, description="Pixels.")
    batch_size: int = Field(default=1, ge=1, le=MOST_IMAGES)
    n_iter: int = Field(
        default=1, ge=1, le=MOST_IMAGES, description="Batches; their images count together."
    )
    denoising_strength: float | None = Field(
        default=None, ge=0, le=1, description="How much of the image is changed."
    )
    override_settings: dict[str, object] = Field(
        default={}, description="Options of this request alone."
    )
    clip_skip: int | None = Field(
        default=None,
        ge=0,
        le=12,
        description="Which layer of the text encoder counts, from the last one, which is 1.",
    )
    script_name: str | None = None
    alwayson_scripts: dict[str, object] = Field(default={})
    send_images: bool = Field(default=True, description="Whether the answer has the images.")
    infotext: str | None = Field(
        default=None,
        max_length=100_000,
        description="Values of fields that are left out, in the text that images are made with.",
    )

    @property
    def count(self) -> int:
        """Images that are requested."""
        return self.batch_size * self.n_iter

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height; None where neither is given."""
        if self.width is None and self.height is None:
            return None
        return (self.width or self.height or 0, self.height or self.width or 0)

    @property
    def others(self) -> JsonObject:
        """The fields that mean nothing here but an input of that name, and ask for something."""
        return {
            name: value
            for name, value in (self.model_extra or {}).items()
            if name not in MEANINGLESS | _OF_SECOND_PASS and value not in NEUTRAL.get(name, ())
        }

    @property
    def is_masked(self) -> bool:
        return False


class TextBody(GenerationBody):
    """The same with a second pass over the image, enlarged (hires fix)."""

    enable_hr: bool = Field(default=False, description="Whether there is a second pass.")
    hr_scale: float = Field(default=2, gt=0, le=64, description="By what it is enlarged.")
    hr_resize_x: int = Field(default=0, ge=0, le=LARGEST_SIDE, description="Pixels; 0: any.")
    hr_resize_y: int = Field(default=0, ge=0, le=LARGEST_SIDE, description="Pixels; 0: any.")
    hr_upscaler: str | None = Field(default=None, description="A name that /upscalers lists.")
    hr_second_pass_steps: int = Field(default=0, ge=0, description="0: those of the first.")
    hr_prompt: str = Field(default="", max_length=32_000, description="Empty: that of the first.")
    hr_negative_prompt: str = Field(default="", max_length=32_000)
    hr_sampler_name: str | None = None
    hr_scheduler: str | None = None
    hr_cfg: float | None = Field(default=None, ge=0, description="Empty: that of the first.")


_OF_SECOND_PASS: Final = frozenset(
    TextBody.model_fields.keys() - GenerationBody.model_fields.keys()
) - {"enable_hr"}


class EditBody(GenerationBody):
    """The fields of a request for images, made of an image."""

    init_images: list[str] = Field(
        default=[],
        max_length=MOST_IMAGES,
        description="Each as base64, with `data:image/png;base64,` before it or without.",
    )
    mask: str | None = Field(default=None, description="White where the image is repainted.")
    mask_blur: float = Field(default=4, ge=0, le=256, description="Pixels.")
    inpainting_mask_invert: bool = Field(default=False, description="Black is repainted instead.")
    inpainting_fill: Literal[0, 1, 2, 3] = Field(
        default=0,
        description="What is there to start from: 0 surrounding colours, 1 the image itself.",
    )
    inpaint_full_res: bool = Field(
        default=True, description="Whether the surroundings of the mask are made at the full size."
    )
    inpaint_full_res_padding: int = Field(default=0, ge=0, le=LARGEST_SIDE, description="Pixels.")
    resize_mode: Literal[0, 1, 2, 3] = Field(
        default=0, description="0 stretch, 1 crop, 2 fill what is missing, 3 as 0."
    )
    include_init_images: bool = Field(
        default=False, description="Whether `parameters` of the answer has them."
    )

    @property
    def is_masked(self) -> bool:
        return bool(self.mask)


class ExtrasBody(BaseModel):
    """How images are enlarged."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    resize_mode: Literal[0, 1] = Field(default=0, description="0 by a factor, 1 to a size.")
    show_extras_results: bool = Field(default=True, description="Whether the answer has them.")
    upscaling_resize: float = Field(default=2, gt=0, le=64, description="The factor.")
    upscaling_resize_w: int = Field(default=512, ge=1, le=4 * LARGEST_SIDE)
    upscaling_resize_h: int = Field(default=512, ge=1, le=4 * LARGEST_SIDE)
    upscaling_crop: bool = Field(default=True, description="Whether the size is met by cropping.")
    upscaler_1: str = Field(default="None", description="A name that /upscalers lists.")
    upscaler_2: str = Field(default="None", description="Another, to be mixed in.")
    extras_upscaler_2_visibility: float = Field(default=0, ge=0, le=1)
    gfpgan_visibility: float = Field(default=0, ge=0, le=1)
    codeformer_visibility: float = Field(default=0, ge=0, le=1)


class ExtrasImageBody(ExtrasBody):
    """An image to be enlarged."""

    image: str = Field(description="As base64, with `data:image/png;base64,` before it or without.")


class NamedImage(BaseModel):
    """An image among several."""

    data: str
    name: str = ""


class ExtrasImagesBody(ExtrasBody):
    """Images to be enlarged."""

    imageList: list[NamedImage] = Field(min_length=1, max_length=MOST_IMAGES)  # noqa: N815


class ImageBody(BaseModel):
    """An image."""

    image: str = Field(description="As base64, with `data:image/png;base64,` before it or without.")


def read(kind: type[Body], content: bytes) -> Body:
    """
    Return the request in a body.

    Raises HttpError: 400 for what is no JSON, 422 with every field that does not fit.
    """
    return checked(kind, without_nulls(read_object(content)))


def image_ref(text: str, where: str) -> ImageRef:
    """Return the reference to an image in a field. Raises HttpError 422 where it is empty."""
    text = text.strip()
    if not text:
        raise wrong(422, "invalid_value", where, "expects an image.", "Give it as base64.")
    if text[:8].lower().startswith(("http://", "https://")):
        return ImageRef(uri=text)
    return ImageRef(data=text)
