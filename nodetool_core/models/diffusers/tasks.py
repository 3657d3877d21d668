"""
Which pipeline class of diffusers does which task.

The table by which a model is refused before its weights are fetched or read.

A class does a task where the automatic choice of diffusers names it or a class over the same
weights (`auto_pipeline`), where `RELATED` names one, or where `ITSELF` lists it; a test runs each.
All others are refused with a reason: they make no images (`OTHER_RESULTS`), or they need what no
node gives (`UNFIT`). A test goes through every pipeline class of the installed diffusers and finds
each in exactly one place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from nodetool_core.errors import ModelError, Problem, near_miss
from nodetool_core.models.libraries import import_libraries

AUTO: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "image-to-image": ("AutoPipelineForImage2Image", "AUTO_IMAGE2IMAGE_PIPELINES_MAPPING"),
        "text-to-image": ("AutoPipelineForText2Image", "AUTO_TEXT2IMAGE_PIPELINES_MAPPING"),
        "inpainting": ("AutoPipelineForInpainting", "AUTO_INPAINT_PIPELINES_MAPPING"),
    }
)
"""Task to the class that picks a pipeline for it, and that class's table."""

ANY: Final = "any"
"""Stands for whatever task a model does, where it is loaded ahead of its use."""

MODULAR: Final = "modular"
"""Lends the components of a model to blocks of Modular Diffusers, which say what they can do."""

_KIND_OF: Final = MappingProxyType(
    {"editing": "image-to-image", "variation": "image-to-image", "upscaling": "image-to-image"}
)
"""
Task that only some pipelines of a broader one do, to the broader one, whose table says which class
is over the same weights.
"""

ITSELF: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "text-to-image": (
            "AltDiffusionPipeline",
            "AmusedPipeline",
            "BriaFiboPipeline",
            "BriaPipeline",
            "ErnieImagePipeline",
            "HiDreamImagePipeline",
            "HunyuanDiTControlNetPipeline",
            "HunyuanImagePipeline",
            "Kandinsky5T2IPipeline",
            "LDMTextToImagePipeline",
            "LongCatImagePipeline",
            "PRXPixelPipeline",
            "SanaControlNetPipeline",
            "SanaSprintPipeline",
            "SemanticStableDiffusionPipeline",
            "StableDiffusionModelEditingPipeline",
            "StableDiffusionPanoramaPipeline",
            "StableDiffusionPipelineSafe",
            "StableDiffusionSAGPipeline",
            "StableUnCLIPPipeline",
            "UnCLIPPipeline",
            "VQDiffusionPipeline",
            "VersatileDiffusionTextToImagePipeline",
        ),
        "image-to-image": (
            "AltDiffusionImg2ImgPipeline",
            "AmusedImg2ImgPipeline",
            "ChromaImg2ImgPipeline",
            "Flux2KleinKVPipeline",
            "HunyuanImageRefinerPipeline",
            "SanaSprintImg2ImgPipeline",
            "StableDiffusionDepth2ImgPipeline",
            "StableDiffusionInstructPix2PixPipeline",
            "StableDiffusionLatentUpscalePipeline",
            "StableDiffusionUpscalePipeline",
            "StableDiffusionXLInstructPix2PixPipeline",
        ),
        "inpainting": (
            "AmusedInpaintPipeline",
            "ChromaInpaintPipeline",
            "Flux2KleinInpaintPipeline",
            "FluxFillPipeline",
            "FluxKontextInpaintPipeline",
            "QwenImageControlNetInpaintPipeline",
            "StableDiffusionInpaintPipelineLegacy",
            "ZImageControlNetInpaintPipeline",
        ),
        "editing": (
            "BriaFibo2Pipeline",
            "BriaFiboEditPipeline",
            "DreamLiteMobilePipeline",
            "DreamLitePipeline",
            "Flux2KleinKVPipeline",
            "Flux2KleinPipeline",
            "Flux2Pipeline",
            "FluxKontextPipeline",
            "JoyImageEditPipeline",
            "Kandinsky5I2IPipeline",
            "LongCatImageEditPipeline",
            "QwenImage21Pipeline",
            "QwenImageEditPipeline",
            "QwenImageEditPlusPipeline",
            "QwenImageLayeredPipeline",
            "StableDiffusionInstructPix2PixPipeline",
            "StableDiffusionXLInstructPix2PixPipeline",
        ),
        "variation": (
            "StableDiffusionImageVariationPipeline",
            "StableUnCLIPImg2ImgPipeline",
            "UnCLIPImageVariationPipeline",
            "VersatileDiffusionImageVariationPipeline",
        ),
        "upscaling": (
            "LDMSuperResolutionPipeline",
            "StableDiffusionLatentUpscalePipeline",
            "StableDiffusionUpscalePipeline",
        ),
        "image-prior": ("FluxPriorReduxPipeline",),
        "depth-estimation": ("MarigoldDepthPipeline",),
        "normals-estimation": ("MarigoldNormalsPipeline",),
    }
)
"""
Task to the pipelines that do it with their own weights, besides those that the automatic choice
names.
"""

RELATED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "image-to-image": {
            "AltDiffusionPipeline": "AltDiffusionImg2ImgPipeline",
            "AmusedPipeline": "AmusedImg2ImgPipeline",
            "ChromaPipeline": "ChromaImg2ImgPipeline",
            "SanaSprintPipeline": "SanaSprintImg2ImgPipeline",
        },
        "inpainting": {
            "AmusedPipeline": "AmusedInpaintPipeline",
            "ChromaPipeline": "ChromaInpaintPipeline",
            "Flux2KleinPipeline": "Flux2KleinInpaintPipeline",
            "FluxKontextPipeline": "FluxKontextInpaintPipeline",
            "LatentConsistencyModelPipeline": "StableDiffusionInpaintPipeline",
        },
    }
)
"""
Task to what does it over the same weights, by the class that repositories name: pairs that the
automatic choice of diffusers lacks.
"""

OTHER_RESULTS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("takes an image apart into materials", re.compile(r"^MarigoldIntrinsics")),
    ("makes images with a depth map", re.compile(r"LDM3D")),
    ("makes shapes in three dimensions", re.compile(r"^ShapE")),
    ("makes molecules", re.compile(r"^RFD4")),
    ("makes texts", re.compile(r"^(DiffusionGemma|LLaDA2)Pipeline")),
    ("makes sound", re.compile(r"Audio|^(AceStep|DanceDiffusion|MusicLDM)")),
    (
        "makes videos",
        re.compile(
            r"Video|^(Allegro|AnimateDiff|AnyFlow|ChronoEdit|CogVideoX|ConsisID|Cosmos|EasyAnimate|Helios|Hunyuan(Video|Skyreels)|I2VGenXL"
            r"|Kandinsky5(I2V|T2V)|Kandinsky6|LTX|Latte|LucyEdit|Mochi|PIAPipeline|SanaWM|SkyReels|TextToVideo|Wan)"
        ),
    ),
)
"""What a pipeline makes that is no image, and the names of the classes that make it."""

UNFIT: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "reads an image for FLUX.1, and belongs into `redux` of ImageVariation",
        re.compile(r"^FluxPriorRedux"),
    ),
    (
        "is a prior, half of a model: it makes what a decoder draws from",
        re.compile(r"Prior(?!Redux)"),
    ),
    (
        "is a model and a T2I-Adapter in one: give the adapter apart, in `controlnets`",
        re.compile(r"Adapter"),
    ),
    (
        "reads images with code of diffusers that does not fit the installed transformers",
        re.compile(r"^GlmImage"),
    ),
    (
        "reads images in bfloat16 whatever the model computes in, which fails elsewhere",
        re.compile(r"^ZImageOmni"),
    ),
    (
        "makes images without any text, of what it was trained on",
        re.compile(r"^(Consistency|DDIM|DDPM|LDMPipeline|PNDM|ScoreSdeVe|KarrasVe)"),
    ),
    ("makes images of numbered classes, and takes no text", re.compile(r"^DiT")),
    (
        "edits in two calls, the first of which inverts an image",
        re.compile(r"^LEditsPP|DiffEdit|Pix2PixZero"),
    ),
    ("needs a second text, of what the image shows", re.compile(r"^CycleDiffusion")),
    ("needs the words to attend to by their numbers", re.compile(r"AttendAndExcite")),
    ("needs boxes, each with a text", re.compile(r"GLIGEN")),
    ("needs an image of a subject and words for it", re.compile(r"^BlipDiffusion")),
    ("needs a second image as the example of what is filled in", re.compile(r"^PaintByExample")),
    ("needs a grid of example images", re.compile(r"^VisualCloze")),
    (
        (
            "is the second half of DeepFloyd IF: it needs what the first half made, and its"
            " embedded text"
        ),
        re.compile(r"^IF.*SuperResolution"),
    ),
    ("needs embedded images from a prior, and a hint", re.compile(r"^KandinskyV22Controlnet")),
    ("fills in an image without any text", re.compile(r"^RePaint")),
    (
        "steps with schedulers of an older diffusers, and fails with those of this one",
        re.compile(r"Paradigms"),
    ),
    ("is a ControlNet-XS, which no node steers", re.compile(r"ControlNetXS")),
    (
        "takes several images under another name, and no node passes them so",
        re.compile(r"^JoyImageEditPlus"),
    ),
    (
        "makes texts and images by turns, as its mode is set",
        re.compile(r"^(UniDiffuser|VersatileDiffusion(DualGuided)?Pipeline)"),
    ),
    ("reads its inputs with torchvision, which is no dependency", re.compile(r"^OmniGen")),
    ("is the base of all pipelines, and no model", re.compile(r"^DiffusionPipeline$")),
)
"""Why a pipeline that makes images is refused, and the names of its classes."""

_ALWAYS_MASKED: Final = "Kandinsky"
"""Begins the names of pipelines that fill in with UNets made for it alone."""


def check_task(class_name: str, task: str, name: str) -> type | None:
    """
    Return the pipeline class that does `task` with weights saved from `class_name`.

    None where that class itself does it.

    Raises ModelError where neither can, with the reason. Needs nothing of the model but the name of
    its class.
    """
    import_libraries()
    import diffusers

    tasks = {*AUTO, *ITSELF, ANY, MODULAR}
    if task not in tasks:
        raise ModelError(
            Problem(
                "task_unknown",
                task,
                f"is not one of the tasks {', '.join(sorted(tasks))}.",
                near_miss(task, tasks),
            )
        )
    if getattr(diffusers, class_name, None) is None:
        hint = near_miss(class_name, dir(diffusers)) or "A newer diffusers may have it."
        raise ModelError(
            Problem(
                "model_class_unknown",
                name,
                f"needs {class_name}, which diffusers {diffusers.__version__} lacks.",
                hint,
            )
        )
    if task == MODULAR:
        return None
    does = tasks_of(class_name)
    if task == ANY and does:
        return None
    if task not in does:
        raise _refusal(class_name, task, name, does)
    return _chosen(class_name, task)


def automatic_class(task: str) -> Any:
    """
    Return the class of diffusers that picks a pipeline for a task.

    Raises KeyError for a task without an automatic choice.
    """
    import_libraries()
    import diffusers

    return getattr(diffusers, AUTO[_KIND_OF.get(task, task)][0])


def related_class(class_name: str, task: str) -> type | None:
    """Return what does a task over the weights of a class that diffusers chooses nothing for."""
    import_libraries()
    import diffusers

    name = RELATED.get(task, {}).get(class_name)
    return None if name is None else getattr(diffusers, name)


def makes_no_images(class_name: str) -> str:
    """Return what a class does instead of making images; an empty text where it makes some."""
    return next((what for what, names in OTHER_RESULTS if names.search(class_name)), "")


def tasks_of(class_name: str) -> list[str]:
    """Return the tasks that weights saved from a class can be used for."""
    if makes_no_images(class_name):
        return []
    found = []
    for task in dict.fromkeys([*AUTO, *ITSELF]):
        target = _chosen(class_name, task)
        doing = class_name if target is None else target.__name__
        if (target is not None and task in AUTO) or doing in ITSELF.get(task, ()):
            found.append(task)
    return found


def listed_pipelines(task: str) -> list[type]:
    """Return the classes that diffusers chooses from for a task."""
    import_libraries()
    from diffusers.pipelines import auto_pipeline

    table: Mapping[str, type] = getattr(auto_pipeline, AUTO[task][1])
    return list(table.values())


def _chosen(class_name: str, task: str) -> type | None:
    """
    Return what the automatic choice of diffusers names for a task, over the weights of a class.
    """
    import_libraries()
    from diffusers.pipelines import auto_pipeline

    task = _KIND_OF.get(task, task)
    if task not in AUTO:
        return None
    table: Mapping[str, type] = getattr(auto_pipeline, AUTO[task][1])
    found: type | None = auto_pipeline._get_task_class(
        table, class_name, throw_error_if_not_exist=False
    )
    if found is not None and task == "text-to-image" and "Inpaint" in found.__name__:
        # The table for texts has one that fills in what a mask covers.
        return None
    return found or related_class(class_name, task)


def _refusal(class_name: str, task: str, name: str, does: list[str]) -> ModelError:
    why = next(
        (why for why, names in UNFIT if names.search(class_name)), makes_no_images(class_name)
    )
    said = [
        f"does {', '.join(does)}" if does else "",
        why,
        "" if does or why else "is none of the pipelines that can be called here",
    ]
    wanted = "images" if task == ANY else task
    message = f"can't be used for {wanted}: {class_name} {', and '.join(filter(None, said))}."
    hint = (
        f"Use a node that does it, or choose a model made for {wanted}."
        if does
        else f"Choose a model made for {wanted}."
    )
    return ModelError(Problem("model_task_unsupported", name, message, hint))


def check_channels(
    task: str, class_name: str, in_channels: int | None, latent_channels: int | None, name: str
) -> None:
    """
    Refuse a UNet that takes more than the latents that `task` feeds it.

    diffusers would find that out in the first convolution. Pipelines that no task is mapped to feed
    their UNets what they need, and are not checked. Raises ModelError.
    """
    import_libraries()
    from diffusers.pipelines import auto_pipeline

    if not isinstance(in_channels, int) or not isinstance(latent_channels, int) or task == ANY:
        return
    masked = 2 * latent_channels + 1
    fed = (
        masked
        if task == "inpainting" and class_name.startswith(_ALWAYS_MASKED)
        else latent_channels
    )
    if in_channels == fed:
        return
    inpaints = in_channels == masked
    if (task == "inpainting" and inpaints) or auto_pipeline._get_model(class_name) is None:  # type: ignore[no-untyped-call]
        return
    what = (
        "is an inpainting checkpoint" if inpaints else f"is made for another pipeline than {task}"
    )
    message = f"{what}: its UNet takes {in_channels} channels, {task} feeds it {fed}."
    hint = (
        "Use it with an inpainting node, or choose a model for this one."
        if inpaints
        else "Choose a model made for this task."
    )
    raise ModelError(Problem("model_unfit", name, message, hint))
