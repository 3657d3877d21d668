"""
Processors that read videos as well are read without that part.

It would need torchvision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLProcessor

from nodetool_core.models.components.processors import read_processors, without_videos
from nodetool_core.models.components.tokenizers import lock_tokenizers
from tests.nodes.huggingface.tiny_language_models import speller

if TYPE_CHECKING:
    from pathlib import Path

PIECES = ("<|endoftext|>", "<|image_pad|>", "<|video_pad|>")
IMAGES = {"patch_size": 14, "size": {"shortest_edge": 56 * 56, "longest_edge": 84 * 84}}


def written(kind: str, directory: Path, cls: Any) -> None:
    """Write a processor's folder as transformers does, or as published models have it."""
    images, tokenizer = Qwen2VLImageProcessor(**IMAGES), speller(*PIECES)
    if kind == "one file":
        without_videos(cls)(image_processor=images, tokenizer=tokenizer).save_pretrained(directory)
        return
    images.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    (directory / "video_preprocessor_config.json").write_text(
        '{"video_processor_type": "Qwen2VLVideoProcessor"}'
    )


@pytest.mark.parametrize("cls", [Qwen2VLProcessor, Qwen2_5_VLProcessor])
@pytest.mark.parametrize("kind", ["one file", "a file each"])
def test_a_processor_reads_texts_and_images(kind: str, cls: Any, tmp_path: Path) -> None:
    written(kind, tmp_path / "processor", cls)
    found = read_processors(tmp_path, {"processor": ("transformers", cls.__name__)})
    processor = found["processor"]
    assert isinstance(processor, cls) and type(processor).__name__ == cls.__name__
    read = processor(
        text=["<|image_pad|> a lake"],
        images=Image.new("RGB", (200, 100), "grey"),
        return_tensors="pt",
    )
    # A grid of 14 pixels a cell; every four cells are a token.
    cells = int(read["image_grid_thw"].prod())
    assert read["pixel_values"].shape[0] == cells
    assert int((read["input_ids"] == PIECES.index("<|image_pad|>")).sum()) == cells // 4


def test_what_reads_no_videos_is_left_to_diffusers(tmp_path: Path) -> None:
    components = {
        "tokenizer": ("transformers", "CLIPTokenizer"),
        "feature_extractor": ("transformers", "CLIPImageProcessor"),
        "reader": ("transformers", "PixtralProcessor"),
        "unet": ("diffusers", "UNet2DConditionModel"),
        "unknown": ("transformers", "NoSuchProcessor"),
    }
    assert read_processors(tmp_path, components) == {}


def test_the_tokenizer_in_a_processor_is_locked_as_well() -> None:
    processor = without_videos(Qwen2VLProcessor)(
        image_processor=Qwen2VLImageProcessor(**IMAGES), tokenizer=speller(*PIECES)
    )

    class Pipeline:
        components = {"processor": processor}

    plain = type(processor.tokenizer)
    lock_tokenizers(Pipeline())
    assert type(processor.tokenizer) is not plain and isinstance(processor.tokenizer, plain)
    assert processor(text=["a lake"], return_tensors="pt")["input_ids"].shape[0] == 1
