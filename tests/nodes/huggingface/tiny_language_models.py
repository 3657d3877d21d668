"""Tiny language models that encode prompts for pipelines, and the processors of some of them."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    Gemma2Config,
    Gemma2Model,
    GemmaConfig,
    GemmaModel,
    GlmConfig,
    GlmModel,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)
from transformers.models.t5gemma import T5GemmaConfig, T5GemmaModuleConfig
from transformers.models.t5gemma.modeling_t5gemma import T5GemmaEncoder

from nodetool_core.models.components.processors import without_videos
from tests.nodes.huggingface.tiny_parts import LETTERS, WIDTH, qwen_tokenizer

CHAT = (
    "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}{%"
    " else %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}{%"
    " endfor %}"
)
"""The texts of all messages, one after the other."""


def speller(*special: str, **options: Any) -> PreTrainedTokenizerFast:
    """
    Spells words letter by letter and knows some pieces as a whole; the first of them fills up.
    """
    pieces = [*special, "<unk>", *LETTERS, *"0123456789"]
    inner = Tokenizer(
        models.BPE(
            vocab={piece: index for index, piece in enumerate(pieces)}, merges=[], unk_token="<unk>"
        )
    )
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    extra = {"additional_special_tokens": list(special)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=special[0],
        unk_token="<unk>",
        model_max_length=512,
        **extra,
        **options,
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def _attention(layers: int = 2, pieces: int = 0, heads: int = 4) -> dict[str, Any]:
    return {
        "vocab_size": pieces or len(qwen_tokenizer()),
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // 2),
        "head_dim": 8,
    }


def opening_tokenizer() -> PreTrainedTokenizerFast:
    """
    Return a tokenizer that begins each text with a token of its own, as Gemma's and GLM's do.

    So even the empty text has a token.
    """
    tokenizer = speller("<pad>", "<bos>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return tokenizer


def gemma() -> GemmaModel:
    return GemmaModel(GemmaConfig(**_attention(pieces=len(opening_tokenizer()))))


def gemma2() -> Gemma2Model:
    return Gemma2Model(Gemma2Config(**_attention()))


def t5_gemma() -> T5GemmaEncoder:
    part = T5GemmaModuleConfig(
        **_attention(1), layer_types=["full_attention"], query_pre_attn_scalar=8
    )
    config = T5GemmaConfig(
        encoder=part, decoder=part, is_encoder_decoder=False, vocab_size=len(qwen_tokenizer())
    )
    model = T5GemmaEncoder(config.encoder)
    # What repositories have beside it is the configuration of encoder and decoder.
    model.config = config
    return model


def glm() -> GlmModel:
    return GlmModel(GlmConfig(**_attention(pieces=len(opening_tokenizer())), pad_token_id=0))


def bert_tokenizer() -> BertTokenizer:
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *LETTERS,
        *(f"##{letter}" for letter in LETTERS),
    ]
    return BertTokenizer(
        vocab={piece: index for index, piece in enumerate(pieces)}, model_max_length=77
    )


def bert() -> BertModel:
    config = BertConfig(
        vocab_size=len(bert_tokenizer()),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
    )
    return BertModel(config)


_PIECES = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def reader_tokenizer() -> PreTrainedTokenizerFast:
    return speller(*_PIECES)


def qwen3_vl_processor(side: int = 64) -> Any:
    """Return a processor that shows the model images of at most the area of a square."""
    images = Qwen2VLImageProcessor(
        patch_size=16, size={"shortest_edge": 32 * 32, "longest_edge": side * side}
    )
    return without_videos(Qwen3VLProcessor)(
        image_processor=images, tokenizer=reader_tokenizer(), chat_template=CHAT
    )


def mistral(layers: int = 30) -> Mistral3ForConditionalGeneration:
    """Return a model of which FLUX.2 reads layers 10, 20 and 30."""
    text = {"model_type": "mistral", **_attention(layers, len(reader_tokenizer()))}
    vision = {
        "model_type": "pixtral",
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 16,
    }
    image = _PIECES.index("<|image_pad|>")
    return Mistral3ForConditionalGeneration(
        Mistral3Config(text_config=text, vision_config=vision, image_token_index=image)
    )


def qwen3_vl(layers: int = 2, heads: int = 4) -> Qwen3VLForConditionalGeneration:
    text = {
        **_attention(layers, len(reader_tokenizer()), heads),
        "rope_scaling": {"mrope_section": [2, 1, 1], "rope_type": "default", "type": "default"},
    }
    vision = {
        "depth": 1,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    ids = {
        f"{name}_token_id": _PIECES.index(f"<|{piece}|>")
        for name, piece in {
            "image": "image_pad",
            "video": "video_pad",
            "vision_start": "vision_start",
            "vision_end": "vision_end",
        }.items()
    }
    return Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
    )
