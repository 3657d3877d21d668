"""
What further classes with a rule take and give, besides the fields of their forms.

Each line has the inputs that are linked, those that may be absent with a question mark, and after
the arrow what the outputs are. `widgets.py` has the names of the fields; their types go by their
names, and what they may be is left to the rules.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from nodes.importers.comfyui.class_table import CLASSES
from nodes.importers.comfyui.classes import ANY, ComfyClass, Input
from nodes.importers.comfyui.widgets import CONTROL, WIDGETS

_PARTS: Final = re.compile(r"^(.+?): ?(.*)$", re.MULTILINE)
_TEXT: Final = """
Any Switch (rgthree): any_01:*? any_02:*? any_03:*? any_04:*? any_05:*? -> *
Attention couple: model:MODEL positive:CONDITIONING negative:CONDITIONING mode:*? -> \
MODEL CONDITIONING CONDITIONING
BatchImagesNode: images.image0:IMAGE? images.image1:IMAGE? -> IMAGE
BboxDetectorSEGS: bbox_detector:BBOX_DETECTOR image:IMAGE -> SEGS
BetaSamplingScheduler: model:MODEL -> SIGMAS
CFGNorm: model:MODEL -> MODEL
CFGOverride: model:MODEL -> MODEL
CFGZeroStar: model:MODEL -> MODEL
CLIPLoaderGGUF: -> CLIP
CLIPLoaderGGUFMultiGPU: -> CLIP
CLIPLoaderMultiGPU: -> CLIP
CLIPTextEncodeSDXLRefiner: clip:CLIP -> CONDITIONING
CLIPVisionLoader: -> CLIP_VISION
CR Seed: -> INT STRING
CannyEdgePreprocessor: image:IMAGE -> IMAGE
CheckpointLoaderSimpleMultiGPU: -> MODEL CLIP VAE
ChromaRadianceOptions: model:MODEL -> MODEL
ComfyDeploy: *
ComfyMathExpression: values.a:*? values.b:*? values.c:*? values.d:*? -> FLOAT INT BOOLEAN
ComfyNumberConvert: value:*? -> FLOAT INT
ComfySwitchNode: on_true:*? on_false:*? -> *
ComfyUIDeployExternalBoolean: -> BOOLEAN
ComfyUIDeployExternalImage: default_value:IMAGE? -> IMAGE
ComfyUIDeployExternalNumber: -> FLOAT
ComfyUIDeployExternalNumberInt: -> INT
ComfyUIDeployExternalNumberSlider: -> FLOAT
ComfyUIDeployExternalText: -> STRING
ConditioningAverage: conditioning_to:CONDITIONING conditioning_from:CONDITIONING -> CONDITIONING
ConditioningConcat: conditioning_to:CONDITIONING conditioning_from:CONDITIONING -> CONDITIONING
ConditioningSetArea: conditioning:CONDITIONING -> CONDITIONING
ControlNetApplySD3: positive:CONDITIONING negative:CONDITIONING control_net:CONTROL_NET vae:VAE? \
image:IMAGE -> CONDITIONING CONDITIONING
ControlNetLoaderMultiGPU: -> CONTROL_NET
CustomCombo: -> STRING INT
DA3Inference: *
DA3Render: *
DWPreprocessor: image:IMAGE -> IMAGE POSE_KEYPOINT
DepthAnythingPreprocessor: image:IMAGE -> IMAGE
DepthAnythingV2Preprocessor: image:IMAGE -> IMAGE
DetailerForEach: image:IMAGE segs:SEGS model:MODEL clip:CLIP vae:VAE positive:CONDITIONING \
negative:CONDITIONING -> IMAGE
DetailerForEachDebugPipe: image:IMAGE segs:SEGS basic_pipe:BASIC_PIPE -> IMAGE SEGS BASIC_PIPE \
IMAGE IMAGE IMAGE
DetailerForEachPipe: image:IMAGE segs:SEGS basic_pipe:BASIC_PIPE -> IMAGE SEGS BASIC_PIPE
DiffControlNetLoader: model:MODEL -> CONTROL_NET
DiffusionModelLoaderKJ: -> MODEL
DisableNoise: -> NOISE
DualCFGGuider: model:MODEL cond1:CONDITIONING cond2:CONDITIONING negative:CONDITIONING -> GUIDER
DualCLIPLoaderGGUF: -> CLIP
DualCLIPLoaderGGUFMultiGPU: -> CLIP
DualCLIPLoaderMultiGPU: -> CLIP
DualModelGuider: model:MODEL positive:CONDITIONING model_negative:MODEL? negative:CONDITIONING? -> \
GUIDER
ETN_ApplyMaskToImage: image:IMAGE mask:MASK -> IMAGE
ETN_KritaCanvas: -> IMAGE INT INT INT
ETN_KritaOutput: images:IMAGE ->
ETN_KritaSelection: -> MASK BOOLEAN INT INT
ETN_KritaStyle: -> MODEL CLIP VAE STRING STRING STRING STRING INT FLOAT
ETN_Parameter: -> *
EditBasicPipe: basic_pipe:BASIC_PIPE model:MODEL? clip:CLIP? vae:VAE? positive:CONDITIONING? \
negative:CONDITIONING? -> BASIC_PIPE
Efficient Loader: *
EmptyChromaRadianceLatentImage: -> LATENT
EmptyFlux2LatentImage: -> LATENT
EmptyHiDreamO1LatentImage: -> LATENT
EmptyQwenImageLayeredLatentImage: -> LATENT
ExponentialScheduler: -> SIGMAS
FaceDetailer: image:IMAGE model:MODEL clip:CLIP vae:VAE positive:CONDITIONING \
negative:CONDITIONING bbox_detector:BBOX_DETECTOR sam_model_opt:SAM_MODEL? -> IMAGE IMAGE IMAGE \
MASK DETAILER_PIPE
FaceDetailerPipe: image:IMAGE detailer_pipe:DETAILER_PIPE -> IMAGE IMAGE IMAGE MASK DETAILER_PIPE
Fast Groups Bypasser (rgthree): -> *
Fast Groups Muter (rgthree): -> *
FeatherMask: mask:MASK -> MASK
Film Grain: image:IMAGE -> IMAGE
FloatConstant: -> FLOAT
Flux2Scheduler: -> SIGMAS
FluxKVCache: model:MODEL -> MODEL
FluxKontextImageScale: image:IMAGE -> IMAGE
FluxKontextMultiReferenceLatentMethod: conditioning:CONDITIONING -> CONDITIONING
FromBasicPipe: basic_pipe:BASIC_PIPE -> MODEL CLIP VAE CONDITIONING CONDITIONING
FromBasicPipe_v2: basic_pipe:BASIC_PIPE -> BASIC_PIPE MODEL CLIP VAE CONDITIONING CONDITIONING
GetImageSize: image:IMAGE -> INT INT INT
GetImageSize+: image:IMAGE -> INT INT INT
GetImageSizeAndCount: image:IMAGE -> IMAGE INT INT INT
HighRes-Fix Script: -> SCRIPT
HyperSDXL1StepUnetScheduler: model:MODEL -> SIGMAS
INPAINT_VAEEncodeInpaintConditioning: positive:CONDITIONING negative:CONDITIONING vae:VAE \
pixels:IMAGE mask:MASK -> CONDITIONING CONDITIONING LATENT LATENT
INTConstant: -> INT
IPAdapterAdvanced: model:MODEL ipadapter:IPADAPTER image:IMAGE image_negative:IMAGE? \
attn_mask:MASK? clip_vision:CLIP_VISION? -> MODEL
IPAdapterApply: ipadapter:IPADAPTER clip_vision:CLIP_VISION? image:IMAGE model:MODEL \
attn_mask:MASK? -> MODEL
IPAdapterModelLoader: -> IPADAPTER
Ideogram4Scheduler: -> SIGMAS
Image Comparer (rgthree): image_a:IMAGE? image_b:IMAGE? ->
ImageBatch: image1:IMAGE image2:IMAGE -> IMAGE
ImageCompare: image_a:IMAGE? image_b:IMAGE? ->
ImageFlip: image:IMAGE -> IMAGE
ImageFromBatch: image:IMAGE -> IMAGE
ImageResize+: image:IMAGE -> IMAGE INT INT
ImageResizeKJv2: image:IMAGE mask:MASK? -> IMAGE INT INT MASK
ImageRotate: image:IMAGE -> IMAGE
ImageScaleToTotalPixels: image:IMAGE -> IMAGE
ImageSharpen: image:IMAGE -> IMAGE
ImageStitch: image1:IMAGE image2:IMAGE? -> IMAGE
InstructPixToPixConditioning: positive:CONDITIONING negative:CONDITIONING vae:VAE pixels:IMAGE -> \
CONDITIONING CONDITIONING LATENT
JoinImageWithAlpha: image:IMAGE alpha:MASK -> IMAGE
KSampler (Efficient): *
Label (rgthree): -> *
LatentCut: samples:LATENT -> LATENT
LatentCutToBatch: samples:LATENT -> LATENT
LoadImageWithEnable: -> IMAGE MASK BOOLEAN
LoadMoGeModel: *
MaskComposite: destination:MASK source:MASK -> MASK
MaskPreview: mask:MASK ->
MaskPreview+: mask:MASK ->
MaskToSEGS: mask:MASK -> SEGS
MiDaS-DepthMapPreprocessor: image:IMAGE -> IMAGE
MoGeInference: *
MoGeRender: *
ModelAttentionBackend: model:MODEL -> MODEL
OpenposePreprocessor: image:IMAGE -> IMAGE POSE_KEYPOINT
PerturbedAttentionGuidance: model:MODEL -> MODEL
PolyexponentialScheduler: -> SIGMAS
Power Lora Loader (rgthree): model:MODEL clip:CLIP? -> MODEL CLIP
PrepImageForClipVision: image:IMAGE -> IMAGE
PreviewAny: source:* ->
PreviewBridge: images:IMAGE -> IMAGE
QuadrupleCLIPLoader: -> CLIP
QwenImage21Cache: model:MODEL -> MODEL
ReferenceLatent: conditioning:CONDITIONING latent:LATENT? -> CONDITIONING
RegexReplace: -> STRING
ResizeImageMaskNode: *
ResolutionSelector: -> INT INT
SAM3_Detect: *
SAMLoader: -> SAM_MODEL
SDTurboScheduler: model:MODEL -> SIGMAS
SamplerDPMPP_2M_SDE: -> SAMPLER
SamplerDPMPP_SDE: -> SAMPLER
SamplerEulerAncestral: -> SAMPLER
SamplerLCM: -> SAMPLER
SamplerLMS: -> SAMPLER
SaveAnimatedPNG: images:IMAGE ->
SaveAnimatedWEBP: images:IMAGE ->
SaveImageAdvanced: images:IMAGE ->
Seed (rgthree): -> INT
SegmDetectorSEGS: segm_detector:SEGM_DETECTOR image:IMAGE -> SEGS
SegsToCombinedMask: segs:SEGS -> MASK
SelfAttentionGuidance: model:MODEL -> MODEL
ShowText|pysssss: text:* -> STRING
SimpleCalculatorKJ: variables.a:*? variables.b:*? variables.c:*? -> FLOAT INT BOOLEAN
SimpleMath+: a:*? b:*? c:*? -> INT FLOAT
SkipLayerGuidanceDiT: model:MODEL -> MODEL
SkipLayerGuidanceDiTSimple: model:MODEL -> MODEL
SplitImageWithAlpha: image:IMAGE -> IMAGE MASK
String to Text: -> STRING
StringConcatenate: -> STRING
StringConstant: -> STRING
StringConstantMultiline: -> STRING
StringReplace: -> STRING
T5TokenizerOptions: clip:CLIP -> CLIP
TemporalScoreRescaling: model:MODEL -> MODEL
Text Concatenate: -> STRING
Text Multiline: -> STRING
Text to Conditioning: clip:CLIP -> CONDITIONING
TextEncodeBooguEdit: *
TextEncodeJoyImageEdit: *
TextEncodeMageFlowEdit: *
TextEncodeQwenImage21: *
TextEncodeQwenImageEdit: clip:CLIP vae:VAE? image:IMAGE? -> CONDITIONING
TextEncodeQwenImageEditPlus: clip:CLIP vae:VAE? image1:IMAGE? image2:IMAGE? image3:IMAGE? -> \
CONDITIONING
ToBasicPipe: model:MODEL clip:CLIP vae:VAE positive:CONDITIONING negative:CONDITIONING -> BASIC_PIPE
ToDetailerPipe: model:MODEL clip:CLIP vae:VAE positive:CONDITIONING negative:CONDITIONING \
bbox_detector:BBOX_DETECTOR sam_model_opt:SAM_MODEL? -> DETAILER_PIPE
TripleCLIPLoaderGGUF: -> CLIP
TripleCLIPLoaderMultiGPU: -> CLIP
UNETLoaderMultiGPU: -> MODEL
USOStyleReference: *
UltimateSDUpscale: image:IMAGE model:MODEL positive:CONDITIONING negative:CONDITIONING vae:VAE \
upscale_model:UPSCALE_MODEL? -> IMAGE
UltralyticsDetectorProvider: -> BBOX_DETECTOR SEGM_DETECTOR
UnetLoaderGGUF: -> MODEL
UnetLoaderGGUFAdvanced: -> MODEL
UnetLoaderGGUFMultiGPU: -> MODEL
Upscale Model Loader: -> UPSCALE_MODEL STRING
VAELoaderKJ: -> VAE
VAELoaderMultiGPU: -> VAE
VisualizeSigmasKJ: sigmas:SIGMAS -> SIGMAS
Zoe-DepthMapPreprocessor: image:IMAGE -> IMAGE
easy cleanGpuUsed: anything:* -> *
easy clearCacheAll: anything:* -> *
"""
"""A star alone: what it takes and gives differs between releases, and is left to its rule."""

_INTEGERS: Final = frozenset(
    {
        *("batch_size", "crop_h", "crop_w", "height", "layers", "length", "multiple", "order"),
        *("resolution", "seed", "sharpen_radius", "steps", "tile_height", "tile_width", "width"),
        *("batch_index", "bottom", "left", "min_length", "min_padding", "right", "top", "x", "y"),
        *("empty_latent_height", "empty_latent_width", "mask_blur", "tile_padding"),
    }
)
_NUMBERS: Final = frozenset(
    {
        *("alpha", "ascore", "beta", "bg_threshold", "cfg", "conditioning_to_strength", "denoise"),
        *("end", "end_at", "end_percent", "eta", "megapixels", "mu", "noise", "rho", "s_noise"),
        *("scale", "sigma", "sigma_max", "sigma_min", "start", "start_at", "start_percent", "std"),
        *("strength", "threshold", "upscale_by", "weight"),
    }
)
_YES_OR_NO: Final = frozenset(
    {"case_insensitive", "dotall", "match_image_size", "multiline", "switch"}
)


def _kind(name: str) -> str:
    """Return the type of a field of a form."""
    kinds = {"INT": _INTEGERS, "FLOAT": _NUMBERS, "BOOLEAN": _YES_OR_NO}
    return next((kind for kind, names in kinds.items() if name in names), ANY)


def _class_of(name: str, line: str, *, is_output: bool) -> ComfyClass:
    """Return a class by its line."""
    names = [field for field in WIDGETS.get(name, ()) if field != CONTROL]
    if line == ANY:
        return ComfyClass("other", {}, (ANY,), {field: [ANY] for field in names}, is_output)
    fields: dict[str, Input] = {field: [_kind(field)] for field in names}
    taken, _, given = line.partition("->")
    links = [one.rpartition(":") for one in taken.split()]
    needed: dict[str, Input] = {link: [kind] for link, _, kind in links if kind[-1] != "?"}
    absent: dict[str, Input] = {link: [kind[:-1]] for link, _, kind in links if kind[-1] == "?"}
    return ComfyClass("other", needed, tuple(given.split()), fields | absent, is_output)


def signatures(outputs: Collection[str]) -> Mapping[str, ComfyClass]:
    """
    Return every class that is described.

    Args:
        outputs: Names of those that give results.
    """
    lines = dict(_PARTS.findall(_TEXT))
    found = {name: _class_of(name, line, is_output=name in outputs) for name, line in lines.items()}
    return {**found, **CLASSES}
