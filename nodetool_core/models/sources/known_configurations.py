"""
Configurations of Stable Diffusion 1, 2 and XL, as numbers: what a single file does not say.

They are those of the published repositories, and let a file be read without any of them. Settings
that are the defaults of diffusers are left out where all its releases agree on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

Settings = Mapping[str, Any]

_CROSS, _PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
_CROSS_UP, _PLAIN_UP = "CrossAttnUpBlock2D", "UpBlock2D"

_BETAS: Final = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
_PNDM: Final = {**_BETAS, "skip_prk_steps": True, "set_alpha_to_one": False}
_DDIM: Final = {**_BETAS, "clip_sample": False, "set_alpha_to_one": False}
_EULER: Final = {**_BETAS, "timestep_spacing": "leading"}

_UNET: Final = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": [_CROSS, _CROSS, _CROSS, _PLAIN],
    "up_block_types": [_PLAIN_UP, _CROSS_UP, _CROSS_UP, _CROSS_UP],
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
_UNET_2: Final = {
    **_UNET,
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
}
_UNET_XL: Final = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": [_PLAIN, _CROSS, _CROSS],
    "up_block_types": [_CROSS_UP, _CROSS_UP, _PLAIN_UP],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
_UNET_REFINER: Final = {
    **_UNET_XL,
    "block_out_channels": [384, 768, 1536, 1536],
    "down_block_types": [_PLAIN, _CROSS, _CROSS, _PLAIN],
    "up_block_types": [_PLAIN_UP, _CROSS_UP, _CROSS_UP, _PLAIN_UP],
    "transformer_layers_per_block": 4,
    "attention_head_dim": [6, 12, 24, 24],
    "cross_attention_dim": 1280,
    "projection_class_embeddings_input_dim": 2560,
}
_VAE: Final = {
    "sample_size": 512,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "norm_num_groups": 32,
    "act_fn": "silu",
    "scaling_factor": 0.18215,
}
_VAE_XL: Final = {**_VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True}

_CLIP: Final = {
    "model_type": "clip_text_model",
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "layer_norm_eps": 1e-5,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 1,
}
_CLIP_L: Final = {
    **_CLIP,
    "hidden_act": "quick_gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
}
_CLIP_H: Final = {
    **_CLIP,
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 23,
    "projection_dim": 512,
}
_CLIP_G: Final = {
    **_CLIP,
    "hidden_act": "gelu",
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "projection_dim": 1280,
}

_CLASSES: Final = {
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "tokenizer_2": ("transformers", "CLIPTokenizer"),
}
_UNCHECKED: Final = {
    "feature_extractor": [None, None],
    "safety_checker": [None, None],
    "requires_safety_checker": False,
}
_WORDS: Final = {"pad_token": "<|endoftext|>"}
_WORDS_G: Final = {"pad_token": "!"}


def _model(
    pipeline: str, scheduler: tuple[str, Settings], parts: Settings, **settings: object
) -> Settings:
    """Return the files of a repository: its index under "", and each component's settings."""
    classes = {**_CLASSES, "scheduler": ("diffusers", scheduler[0])}
    components = {**parts, "scheduler": scheduler[1]}
    index = {"_class_name": pipeline, **settings}
    return {"": index | {name: list(classes[name]) for name in components}, **components}


_SD1: Final = {"unet": _UNET, "vae": _VAE, "text_encoder": _CLIP_L, "tokenizer": _WORDS}
_SD2: Final = {
    "unet": {**_UNET_2, "sample_size": 96},
    "vae": {**_VAE, "sample_size": 768},
    "text_encoder": _CLIP_H,
    "tokenizer": _WORDS_G,
}
_SDXL: Final = {
    "unet": _UNET_XL,
    "vae": _VAE_XL,
    "text_encoder": _CLIP_L,
    "text_encoder_2": _CLIP_G,
    "tokenizer": _WORDS,
    "tokenizer_2": _WORDS_G,
}
_REFINER: Final = {
    "unet": _UNET_REFINER,
    "vae": _VAE_XL,
    "text_encoder_2": _CLIP_G,
    "tokenizer_2": _WORDS_G,
}


def _masked(parts: Settings) -> Settings:
    return {**parts, "unet": {**parts["unet"], "in_channels": 9}}


CONFIGURATIONS: Final[Mapping[str, Settings]] = MappingProxyType(
    {
        "sd1": _model("StableDiffusionPipeline", ("PNDMScheduler", _PNDM), _SD1, **_UNCHECKED),
        "sd2": _model(
            "StableDiffusionPipeline",
            ("DDIMScheduler", {**_DDIM, "prediction_type": "v_prediction"}),
            _SD2,
            **_UNCHECKED,
        ),
        "sdxl": _model(
            "StableDiffusionXLPipeline",
            ("EulerDiscreteScheduler", _EULER),
            _SDXL,
            force_zeros_for_empty_prompt=True,
        ),
        "sdxl-inpaint": _model(
            "StableDiffusionXLInpaintPipeline",
            ("EulerDiscreteScheduler", _EULER),
            _masked(_SDXL),
            force_zeros_for_empty_prompt=True,
            requires_aesthetics_score=False,
        ),
        "sdxl-refiner": _model(
            "StableDiffusionXLImg2ImgPipeline",
            ("EulerDiscreteScheduler", _EULER),
            _REFINER,
            force_zeros_for_empty_prompt=False,
            requires_aesthetics_score=True,
            text_encoder=[None, None],
            tokenizer=[None, None],
        ),
    }
)
"""Family to what its repository holds: the index under "", and settings by component."""
