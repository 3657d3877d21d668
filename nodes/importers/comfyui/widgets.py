"""
The order of the values in the forms of ComfyUI's nodes.

The editor's files hold them without names (`widgets_values`). `WIDGETS` has a row for each class
that a rule is for, none is missing and none too many; a class without a form has an empty one.
Newer files name the inputs that have a field in the form as well, which serves classes that are not
in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from nodes.importers.comfyui.graph import Form

CONTROL: Final = "control_after_generate"
"""A field that the editor adds behind a seed; it says what the next run does with it."""

_CONTROLS: Final = frozenset(
    {"fixed", "increment", "decrement", "randomize", "increment-wrap", False, True}
)
"""Values of that field; files of the first editors have a yes or no there, or no field at all."""

_SAMPLER = ("sampler_name", "scheduler")
_SIZE = ("width", "height", "batch_size")
_SCALED = ("upscale_method", "width", "height", "crop")
_TILES = ("tile_size", "overlap", "temporal_size", "temporal_overlap")

WIDGETS: Final[Mapping[str, tuple[str, ...]]] = {
    "Attention couple": ("mode",),
    "BasicGuider": (),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "BatchImagesNode": (),
    "BetaSamplingScheduler": ("steps", "alpha", "beta"),
    "CFGGuider": ("cfg",),
    "CFGNorm": ("strength", "pre_cfg"),
    "CFGZeroStar": (),
    "CFGOverride": ("cfg", "start_percent", "end_percent"),
    "CLIPLoader": ("clip_name", "type", "device"),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "CLIPTextEncodeSDXL": (
        *("width", "height", "crop_w", "crop_h", "target_width", "target_height"),
        *("text_g", "text_l"),
    ),
    "CLIPTextEncodeSDXLRefiner": ("ascore", "width", "height", "text"),
    "CLIPVisionLoader": ("clip_name",),
    "CameraAngle": ("horizontal_angle", "vertical_angle", "zoom", "camera"),
    "Canny": ("low_threshold", "high_threshold"),
    "CannyEdgePreprocessor": ("low_threshold", "high_threshold", "resolution"),
    "CheckpointLoader": ("config_name", "ckpt_name"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "ChromaRadianceOptions": ("preserve_wrapper", "start_sigma", "end_sigma", "nerf_tile_size"),
    "ComfyMathExpression": ("expression",),
    "ComfyNumberConvert": (),
    "ComfySwitchNode": ("switch",),
    "ConditioningAverage": ("conditioning_to_strength",),
    "ConditioningCombine": (),
    "ConditioningConcat": (),
    "ConditioningSetArea": ("width", "height", "x", "y", "strength"),
    "ConditioningSetAreaPercentage": ("width", "height", "x", "y", "strength"),
    "ConditioningSetAreaStrength": ("strength",),
    "ConditioningSetMask": ("strength", "set_cond_area"),
    "ConditioningSetTimestepRange": ("start", "end"),
    "ConditioningZeroOut": (),
    "ControlNetApply": ("strength",),
    "ControlNetApplyAdvanced": ("strength", "start_percent", "end_percent"),
    "ControlNetApplySD3": ("strength", "start_percent", "end_percent"),
    "ControlNetLoader": ("control_net_name",),
    "CustomCombo": ("choice", "index", *(f"option{number}" for number in range(1, 65))),
    "DA3Inference": ("resolution", "resize_method", "mode"),
    "DA3Render": ("output", "output.normalization", "output.apply_sky_clip"),
    "DWPreprocessor": (
        *("detect_hand", "detect_body", "detect_face", "resolution"),
        *("bbox_detector", "pose_estimator", "scale_stick_for_xinsr_cn"),
    ),
    "DepthAnythingPreprocessor": ("ckpt_name", "resolution"),
    "DepthAnythingV2Preprocessor": ("ckpt_name", "resolution"),
    "DifferentialDiffusion": ("strength",),
    "DiffControlNetLoader": ("control_net_name",),
    "DiffusersLoader": ("model_path",),
    "DisableNoise": (),
    "DualCFGGuider": ("cfg_conds", "cfg_cond2_negative", "style"),
    "DualCLIPLoader": ("clip_name1", "clip_name2", "type", "device"),
    "DualModelGuider": ("cfg",),
    "Efficient Loader": (
        *("ckpt_name", "vae_name", "clip_skip"),
        *("lora_name", "lora_model_strength", "lora_clip_strength", "positive", "negative"),
        *("token_normalization", "weight_interpretation"),
        *("empty_latent_width", "empty_latent_height", "batch_size"),
    ),
    "EmptyChromaRadianceLatentImage": _SIZE,
    "EmptyFlux2LatentImage": _SIZE,
    "EmptyHiDreamO1LatentImage": _SIZE,
    "EmptyImage": (*_SIZE, "color"),
    "EmptyLatentImage": _SIZE,
    "EmptyQwenImageLayeredLatentImage": ("width", "height", "layers", "batch_size"),
    "EmptySD3LatentImage": _SIZE,
    "ExponentialScheduler": ("steps", "sigma_max", "sigma_min"),
    "FeatherMask": ("left", "top", "right", "bottom"),
    "Flux2Scheduler": ("steps", "width", "height"),
    "FluxGuidance": ("guidance",),
    "FluxKVCache": (),
    "FluxKontextImageScale": (),
    "FluxKontextMultiReferenceLatentMethod": ("reference_latents_method",),
    "FreeU": ("b1", "b2", "s1", "s2"),
    "FreeU_V2": ("b1", "b2", "s1", "s2"),
    "GetImageSize": ("preview",),
    "GetImageSize+": (),
    "GrowMask": ("expand", "tapered_corners"),
    "HyperSDXL1StepUnetScheduler": ("steps",),
    "HyperTile": ("tile_size", "swap_size", "max_depth", "scale_depth"),
    "IPAdapter": ("weight", "start_at", "end_at", "weight_type"),
    "IPAdapterAdvanced": (
        *("weight", "weight_type", "combine_embeds", "start_at", "end_at", "embeds_scaling"),
    ),
    "IPAdapterApply": ("weight", "noise", "weight_type", "start_at", "end_at", "unfold_batch"),
    "IPAdapterModelLoader": ("ipadapter_file",),
    "Ideogram4Scheduler": ("steps", "width", "height", "mu", "std"),
    "Image Comparer (rgthree)": ("shown",),
    "ImageBatch": (),
    "ImageBlend": ("blend_factor", "blend_mode"),
    "ImageBlur": ("blur_radius", "sigma"),
    "ImageCompare": ("compare_view",),
    "ImageCompositeMasked": ("x", "y", "resize_source"),
    "ImageCrop": ("width", "height", "x", "y"),
    "ImageFlip": ("flip_method",),
    "ImageFromBatch": ("batch_index", "length"),
    "ImageInvert": (),
    "ImagePadForOutpaint": ("left", "top", "right", "bottom", "feathering"),
    "ImageResize+": ("width", "height", "interpolation", "method", "condition", "multiple_of"),
    "ImageRotate": ("rotation",),
    "ImageScale": _SCALED,
    "ImageScaleBy": ("upscale_method", "scale_by"),
    "ImageScaleToMaxDimension": ("upscale_method", "largest_size"),
    "ImageScaleToTotalPixels": ("upscale_method", "megapixels", "resolution_steps"),
    "ImageSharpen": ("sharpen_radius", "sigma", "alpha"),
    "ImageStitch": ("direction", "match_image_size", "spacing_width", "spacing_color"),
    "ImageToMask": ("channel",),
    "ImageUpscaleWithModel": (),
    "InpaintModelConditioning": ("noise_mask",),
    "InstructPixToPixConditioning": (),
    "InvertMask": (),
    "JoinImageWithAlpha": (),
    "JsonExtractString": ("json_string", "key"),
    "KSampler": ("seed", CONTROL, "steps", "cfg", *_SAMPLER, "denoise"),
    "KSampler (Efficient)": (
        *("seed", CONTROL, "steps", "cfg", *_SAMPLER, "denoise", "preview_method", "vae_decode"),
    ),
    "KSamplerAdvanced": (
        *("add_noise", "noise_seed", CONTROL, "steps", "cfg", *_SAMPLER),
        *("start_at_step", "end_at_step", "return_with_leftover_noise"),
    ),
    "KSamplerSelect": ("sampler_name",),
    "KarrasScheduler": ("steps", "sigma_max", "sigma_min", "rho"),
    "LatentCut": ("dim", "index", "amount"),
    "LatentCutToBatch": ("dim", "slice_size"),
    "LatentUpscale": _SCALED,
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "LoadBackgroundRemovalModel": ("bg_removal_name",),
    "LoadDA3Model": ("model_name", "weight_dtype"),
    "LoadImage": ("image", "upload"),
    "LoadImageMask": ("image", "channel", "upload"),
    "LoadImageOutput": ("image", "upload", "refresh"),
    "LoadMoGeModel": ("model_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "MarkdownNote": ("text",),
    "MaskComposite": ("x", "y", "operation"),
    "MaskPreview": (),
    "MaskPreview+": (),
    "MaskToImage": (),
    "MiDaS-DepthMapPreprocessor": ("a", "bg_threshold", "resolution"),
    "MoGeInference": (
        *("resolution_level", "fov_x_degrees", "batch_size", "force_projection", "apply_mask"),
        "refine_levels",
    ),
    "MoGeRender": ("output",),
    "ModelAttentionBackend": ("backend",),
    "ModelPatchLoader": ("name",),
    "ModelSamplingAuraFlow": ("shift", "sampling"),
    "ModelSamplingDiscrete": ("sampling", "zsnr"),
    "ModelSamplingFlux": ("max_shift", "base_shift", "width", "height"),
    "ModelSamplingSD3": ("shift", "sampling"),
    "Note": ("text",),
    "OpenposePreprocessor": (
        *("detect_hand", "detect_body", "detect_face", "resolution", "scale_stick_for_xinsr_cn"),
    ),
    "PatchModelAddDownscale": (
        *("block_number", "downscale_factor", "start_percent", "end_percent"),
        *("downscale_after_skip", "downscale_method", "upscale_method"),
    ),
    "PerturbedAttentionGuidance": ("scale",),
    "PolyexponentialScheduler": ("steps", "sigma_max", "sigma_min", "rho"),
    "Power Lora Loader (rgthree)": tuple(f"lora_{number}" for number in range(65)),
    "PreviewAny": ("preview", "preview_text", "preview_mode"),
    "PreviewImage": (),
    "PrimitiveBoolean": ("value",),
    "PrimitiveFloat": ("value",),
    "PrimitiveInt": ("value", CONTROL),
    "PrimitiveString": ("value",),
    "PrimitiveStringMultiline": ("value",),
    "QuadrupleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3", "clip_name4"),
    "QwenImage21Cache": ("mode", "threshold", "start", "end"),
    "QwenImageDiffsynthControlnet": ("strength",),
    "RandomNoise": ("noise_seed", CONTROL),
    "ReferenceLatent": (),
    "RegexExtract": (
        *("string", "regex_pattern", "mode", "case_insensitive", "multiline", "dotall"),
        "group_index",
    ),
    "RegexReplace": (
        *("string", "regex_pattern", "replace", "case_insensitive", "multiline", "dotall"),
        "count",
    ),
    "RemoveBackground": (),
    "RepeatLatentBatch": ("amount",),
    "Reroute": (),
    "RescaleCFG": ("multiplier",),
    "ResizeImageMaskNode": ("resize_type", "scale_method"),
    "ResolutionSelector": ("aspect_ratio", "megapixels", "multiple"),
    "SAM3_Detect": ("threshold", "refine_iterations", "individual_masks"),
    "SDTurboScheduler": ("steps", "denoise"),
    "SamplerCustom": ("add_noise", "noise_seed", CONTROL, "cfg"),
    "SamplerCustomAdvanced": (),
    "SamplerDPMPP_2M_SDE": ("solver_type", "eta", "s_noise", "noise_device"),
    "SamplerDPMPP_SDE": ("eta", "s_noise", "r", "noise_device"),
    "SamplerEulerAncestral": ("eta", "s_noise"),
    "SamplerLCM": ("s_noise_start", "s_noise_end", "noise_clip_std"),
    "SamplerLMS": ("order",),
    "SaveImage": ("filename_prefix",),
    "SaveImageAdvanced": ("filename_prefix", "format", "format.bit_depth", "format.colorspace"),
    "Seed (rgthree)": ("seed",),
    "SelfAttentionGuidance": ("scale", "blur_sigma"),
    "SetLatentNoiseMask": (),
    "SetUnionControlNetType": ("type",),
    "ShowText|pysssss": ("shown",),
    "SkipLayerGuidanceDiT": (
        *("double_layers", "single_layers", "scale", "start_percent", "end_percent"),
        "rescaling_scale",
    ),
    "SkipLayerGuidanceDiTSimple": (
        *("double_layers", "single_layers", "start_percent", "end_percent"),
    ),
    "SolidMask": ("value", "width", "height"),
    "SplitImageWithAlpha": (),
    "StringConcatenate": ("string_a", "string_b", "delimiter"),
    "StringLength": ("string",),
    "StringReplace": ("string", "find", "replace"),
    "T5TokenizerOptions": ("min_padding", "min_length"),
    "TemporalScoreRescaling": ("tsr_k", "tsr_sigma"),
    "Text Concatenate": ("delimiter", "clean_whitespace", "text_a", "text_b", "text_c", "text_d"),
    "Text Multiline": ("text",),
    "Text to Conditioning": ("text",),
    "TextEncodeBooguEdit": ("prompt", "negative_prompt"),
    "TextEncodeJoyImageEdit": ("prompt",),
    "TextEncodeMageFlowEdit": ("prompt", "negative_prompt", "width", "height", "batch_size"),
    "TextEncodeQwenImage21": ("prompt", "negative_prompt", "resolution"),
    "TextEncodeQwenImageEdit": ("prompt",),
    "TextEncodeQwenImageEditPlus": ("prompt",),
    "ThresholdMask": ("value",),
    "TomePatchModel": ("ratio",),
    "TripleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3"),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "USOStyleReference": (),
    "UltimateSDUpscale": (
        *("upscale_by", "seed", CONTROL, "steps", "cfg", *_SAMPLER, "denoise"),
        *("mode_type", "tile_width", "tile_height", "mask_blur", "tile_padding"),
        *("seam_fix_mode", "seam_fix_denoise", "seam_fix_width", "seam_fix_mask_blur"),
        *("seam_fix_padding", "force_uniform_tiles", "tiled_decode", "batch_size"),
    ),
    "UpscaleModelLoader": ("model_name",),
    "VAEDecode": (),
    "VAEDecodeTiled": _TILES,
    "VAEEncode": (),
    "VAEEncodeForInpaint": ("grow_mask_by",),
    "VAEEncodeTiled": _TILES,
    "VAELoader": ("vae_name",),
    "Zoe-DepthMapPreprocessor": ("resolution",),
    "Any Switch (rgthree)": (),
    "CLIPLoaderGGUF": ("clip_name", "type"),
    "CLIPLoaderGGUFMultiGPU": ("clip_name", "type", "device"),
    "CLIPLoaderMultiGPU": ("clip_name", "type", "device"),
    "CR Seed": ("seed", CONTROL),
    "CheckpointLoaderSimpleMultiGPU": ("ckpt_name", "device"),
    "ComfyDeploy": ("workflow_name", "workflow_id", "version"),
    "ComfyUIDeployExternalBoolean": ("input_id", "default_value", "display_name", "description"),
    "ComfyUIDeployExternalImage": ("input_id", "display_name", "description", "default_value_url"),
    "ComfyUIDeployExternalNumber": ("input_id", "default_value", "display_name", "description"),
    "ComfyUIDeployExternalNumberInt": ("input_id", "default_value", "display_name", "description"),
    "ComfyUIDeployExternalNumberSlider": (
        *("input_id", "default_value", "min_value", "max_value", "display_name", "description"),
    ),
    "ComfyUIDeployExternalText": ("input_id", "default_value", "display_name", "description"),
    "ControlNetLoaderMultiGPU": ("control_net_name", "device"),
    "DiffusionModelLoaderKJ": (
        *("model_name", "weight_dtype", "compute_dtype", "patch_cublaslinear", "sage_attention"),
        "enable_fp16_accumulation",
    ),
    "DualCLIPLoaderGGUF": ("clip_name1", "clip_name2", "type"),
    "DualCLIPLoaderGGUFMultiGPU": ("clip_name1", "clip_name2", "type", "device"),
    "DualCLIPLoaderMultiGPU": ("clip_name1", "clip_name2", "type", "device"),
    "Fast Groups Bypasser (rgthree)": (),
    "Fast Groups Muter (rgthree)": (),
    "Film Grain": ("density", "intensity", "highlights", "supersample_factor", "repeats"),
    "FloatConstant": ("value",),
    "GetImageSizeAndCount": (),
    "INTConstant": ("value", CONTROL),
    "IPAdapterUnifiedLoader": ("preset",),
    "ImageResizeKJv2": (
        *("width", "height", "upscale_method", "keep_proportion", "pad_color", "crop_position"),
        *("divisible_by", "device"),
    ),
    "Label (rgthree)": (),
    "PrepImageForClipVision": ("interpolation", "crop_position", "sharpening"),
    "SaveAnimatedPNG": ("filename_prefix", "fps", "compress_level"),
    "SaveAnimatedWEBP": ("filename_prefix", "fps", "lossless", "quality", "method"),
    "SimpleCalculatorKJ": ("expression",),
    "SimpleMath+": ("value",),
    "String to Text": ("string",),
    "StringConstant": ("string",),
    "StringConstantMultiline": ("string", "strip_newlines"),
    "TripleCLIPLoaderGGUF": ("clip_name1", "clip_name2", "clip_name3"),
    "TripleCLIPLoaderMultiGPU": ("clip_name1", "clip_name2", "clip_name3", "device"),
    "UNETLoaderMultiGPU": ("unet_name", "weight_dtype", "device"),
    "UnetLoaderGGUF": ("unet_name",),
    "UnetLoaderGGUFAdvanced": ("unet_name", "dequant_dtype", "patch_dtype", "patch_on_device"),
    "UnetLoaderGGUFMultiGPU": ("unet_name", "device"),
    "Upscale Model Loader": ("model_name",),
    "VAELoaderKJ": ("vae_name", "device", "weight_dtype"),
    "VAELoaderMultiGPU": ("vae_name", "device"),
    "VisualizeSigmasKJ": ("start_step", "end_step"),
    "easy cleanGpuUsed": (),
    "easy clearCacheAll": (),
    "BboxDetectorSEGS": ("threshold", "dilation", "crop_factor", "drop_size", "labels"),
    "DetailerForEach": (
        *("guide_size", "guide_size_for", "max_size", "seed", CONTROL, "steps", "cfg", *_SAMPLER),
        *("denoise", "feather", "noise_mask", "force_inpaint", "wildcard", "cycle"),
        *("inpaint_model", "noise_mask_feather"),
    ),
    "DetailerForEachDebugPipe": (
        *("guide_size", "guide_size_for", "max_size", "seed", CONTROL, "steps", "cfg", *_SAMPLER),
        *("denoise", "feather", "noise_mask", "force_inpaint", "wildcard"),
        *("refiner_ratio", "cycle", "inpaint_model", "noise_mask_feather"),
    ),
    "DetailerForEachPipe": (
        *("guide_size", "guide_size_for", "max_size", "seed", CONTROL, "steps", "cfg", *_SAMPLER),
        *("denoise", "feather", "noise_mask", "force_inpaint", "wildcard"),
        *("refiner_ratio", "cycle", "inpaint_model", "noise_mask_feather"),
    ),
    "ETN_ApplyMaskToImage": (),
    "ETN_KritaCanvas": (),
    "ETN_KritaOutput": ("x", "y", "name", "resize_canvas", "batch"),
    "ETN_KritaSelection": ("context", "padding"),
    "ETN_KritaStyle": ("name", "sampler_preset"),
    "ETN_Parameter": ("name", "type", "default", "min", "max"),
    "EditBasicPipe": (),
    "FaceDetailer": (
        *("guide_size", "guide_size_for", "max_size", "seed", CONTROL, "steps", "cfg", *_SAMPLER),
        *("denoise", "feather", "noise_mask", "force_inpaint", "bbox_threshold"),
        *("bbox_dilation", "bbox_crop_factor", "sam_detection_hint", "sam_dilation"),
        *("sam_threshold", "sam_bbox_expansion", "sam_mask_hint_threshold"),
        *("sam_mask_hint_use_negative", "drop_size", "wildcard", "cycle"),
        *("inpaint_model", "noise_mask_feather"),
    ),
    "FaceDetailerPipe": (
        *("guide_size", "guide_size_for", "max_size", "seed", CONTROL, "steps", "cfg", *_SAMPLER),
        *("denoise", "feather", "noise_mask", "force_inpaint", "bbox_threshold"),
        *("bbox_dilation", "bbox_crop_factor", "sam_detection_hint", "sam_dilation"),
        *("sam_threshold", "sam_bbox_expansion", "sam_mask_hint_threshold"),
        *("sam_mask_hint_use_negative", "drop_size", "refiner_ratio", "cycle"),
        *("inpaint_model", "noise_mask_feather"),
    ),
    "FromBasicPipe": (),
    "FromBasicPipe_v2": (),
    "HighRes-Fix Script": (
        *("upscale_type", "hires_ckpt_name", "latent_upscaler", "pixel_upscaler", "upscale_by"),
        *("use_same_seed", "seed", CONTROL, "hires_steps", "denoise", "iterations"),
        *("use_controlnet", "control_net_name", "strength", "preprocessor", "preprocessor_imgs"),
    ),
    "INPAINT_VAEEncodeInpaintConditioning": (),
    "LoadImageWithEnable": ("image", "enable", "upload"),
    "MaskToSEGS": ("combined", "crop_factor", "bbox_fill", "drop_size", "contour_fill"),
    "PreviewBridge": ("image", "block", "restore_mask"),
    "SAMLoader": ("model_name", "device_mode"),
    "SegmDetectorSEGS": ("threshold", "dilation", "crop_factor", "drop_size", "labels"),
    "SegsToCombinedMask": (),
    "ToBasicPipe": (),
    "ToDetailerPipe": ("wildcard", "Select to add LoRA", "Select to add Wildcard"),
    "UltralyticsDetectorProvider": ("model_name",),
}
"""The values of each class's form, in their order."""


_CHOICES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "resize_type": {
        "scale by multiplier": ("resize_type.multiplier",),
        "scale dimensions": ("resize_type.width", "resize_type.height", "resize_type.crop"),
        "scale height": ("resize_type.height",),
        "scale longer dimension": ("resize_type.longer_size",),
        "scale shorter dimension": ("resize_type.shorter_size",),
        "scale to multiple": ("resize_type.multiple",),
        "scale total pixels": ("resize_type.megapixels",),
        "scale width": ("resize_type.width",),
    },
}
"""Fields that follow a choice in the form, by what was chosen."""


def named(
    class_type: str, values: object, slots: Sequence[Form]
) -> tuple[dict[str, object], list[object]]:
    """
    Return the values of a form by the inputs that they are for, and those that remain.

    Args:
        slots: The node's inputs as the file has them.
    """
    if isinstance(values, Mapping):
        return {str(name): value for name, value in values.items()}, []
    if not isinstance(values, list):
        return {}, [] if values is None else [values]
    order = WIDGETS.get(class_type)
    if order is None:
        order = _order_of(slots, values)
    return _by_order(order, values)


def _by_order(order: Sequence[str], values: list[object]) -> tuple[dict[str, object], list[object]]:
    found: dict[str, object] = {}
    names, position = list(order), 0
    while names and position < len(values):
        name, value = names.pop(0), values[position]
        if name == CONTROL and not _is_control(value):
            continue
        found[name] = value
        position += 1
        if name in _CHOICES:
            names = [*_CHOICES[name].get(str(value), ()), *names]
    return found, [value for value in values[position:] if value not in (None, "", [], {})]


def _order_of(slots: Sequence[Form], values: list[object]) -> tuple[str, ...]:
    """Return the order as the slots of the file give it; empty where their number does not fit."""
    names: list[str] = []
    for slot in slots:
        widget = slot.get("widget")
        if isinstance(widget, Mapping):
            names.append(str(widget.get("name", slot.get("name"))))
            if names[-1] in ("seed", "noise_seed"):
                names.append(CONTROL)
    found, rest = _by_order(names, values)
    fits = not rest and len(names) - (CONTROL in names and CONTROL not in found) == len(values)
    return tuple(names) if fits else ()


def _is_control(value: object) -> bool:
    return value is None or (isinstance(value, (str, bool)) and value in _CONTROLS)
