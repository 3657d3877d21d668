"""
The parts that tiny pipelines are made of.

Tokenizers that spell, encoders, autoencoders and UNets a few channels wide.
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    UNet2DConditionModel,
    VQModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    XLMRobertaTokenizer,
)

WIDTH = 32
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def clip_tokenizer() -> CLIPTokenizer:
    """
    Spells words letter by letter; the end of the text is the highest id, by which CLIP finds it.
    """
    pieces = [
        *LETTERS,
        *(letter + "</w>" for letter in LETTERS),
        ",</w>",
        ".</w>",
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    return CLIPTokenizer(
        vocab={piece: index for index, piece in enumerate(pieces)}, merges=[], model_max_length=77
    )


def t5_tokenizer() -> T5Tokenizer:
    pieces = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", -10.0),
        ("▁", -1.0),
        *((letter, -2.0) for letter in LETTERS),
    ]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=77)


def xlm_tokenizer() -> XLMRobertaTokenizer:
    pieces = [
        ("<s>", 0.0),
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", -10.0),
        ("▁", -1.0),
        *((letter, -2.0) for letter in LETTERS),
        ("<mask>", 0.0),
    ]
    return XLMRobertaTokenizer(vocab=pieces, model_max_length=77)


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    vocab = {piece: index for index, piece in enumerate(["<|endoftext|>", "<unk>", *LETTERS])}
    inner = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<|endoftext|>", unk_token="<unk>", model_max_length=512
    )
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return tokenizer


def clip_config(width: int = WIDTH) -> CLIPTextConfig:
    tokens = len(clip_tokenizer())
    return CLIPTextConfig(
        vocab_size=tokens,
        bos_token_id=tokens - 2,
        eos_token_id=tokens - 1,
        pad_token_id=tokens - 1,
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=4,
    )


def clip_vision() -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
        image_size=32,
        patch_size=16,
    )
    return CLIPVisionModelWithProjection(config)


def clip_images() -> CLIPImageProcessor:
    """Brings images to the size that `clip_vision` looks at."""
    return CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def siglip_vision() -> SiglipVisionModel:
    config = SiglipVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
        image_size=32,
        patch_size=16,
    )
    return SiglipVisionModel(config)


def siglip_images() -> SiglipImageProcessor:
    """Brings images to the size that `siglip_vision` looks at."""
    return SiglipImageProcessor(size={"height": 32, "width": 32})


def t5_encoder() -> T5EncoderModel:
    size = len(t5_tokenizer())
    return T5EncoderModel(
        T5Config(vocab_size=size, d_model=WIDTH, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=4)
    )


def qwen_encoder(layers: int = 3) -> Qwen3ForCausalLM:
    config = Qwen3Config(
        vocab_size=len(qwen_tokenizer()),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
    )
    return Qwen3ForCausalLM(config)


def vae(latents: int = 4, levels: int = 2, **options: Any) -> AutoencoderKL:
    """
    Return an autoencoder that shrinks sides by 2 per level after the first.

    With one level, the families that are made for 128 latents a side are made for 128 pixels.
    """
    return AutoencoderKL(
        block_out_channels=(8,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=latents,
        norm_num_groups=4,
        layers_per_block=1,
        **options,
    )


def unet(in_channels: int = 4, sample_size: int = 32, **options: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        **{
            "sample_size": sample_size,
            "in_channels": in_channels,
            "out_channels": 4,
            "block_out_channels": (8, 16),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "layers_per_block": 1,
            "cross_attention_dim": WIDTH,
            "attention_head_dim": 4,
            "norm_num_groups": 4,
            **options,
        }
    )


def ddim() -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )


def movq(levels: int = 2) -> VQModel:
    return VQModel(
        block_out_channels=(32,) * levels,
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D")[:levels],
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D")[-levels:],
        latent_channels=4,
        num_vq_embeddings=12,
        vq_embed_dim=4,
        norm_type="spatial",
        layers_per_block=1,
    )
