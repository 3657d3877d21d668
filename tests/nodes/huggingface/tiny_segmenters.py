"""Tiny networks that find subjects, objects and edges, as the transformers library has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertTokenizerFast,
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Sam2Config,
    Sam2Model,
    SamConfig,
    SamModel,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SwinConfig,
    VitDetConfig,
    VitMatteConfig,
    VitMatteForImageMatting,
    YolosConfig,
    YolosForObjectDetection,
)

from nodes.huggingface.isnet import _DEPTHS
from tests.nodes.huggingface.tiny_parts import clip_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable


SIZE = {"size": {"height": 64, "width": 64}, "do_resize": True}


NORMALIZED = {
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "do_normalize": True,
    "do_rescale": True,
}


def save(model: Any, directory: Path, processor: dict[str, Any]) -> str:
    """Write a network with the settings of its processor; return the directory."""
    model.save_pretrained(directory)
    (directory / "preprocessor_config.json").write_text(json.dumps(processor | NORMALIZED))
    return str(directory)


def segformer(directory: Path, *labels: str) -> str:
    """Write a network that sorts pixels by labels; by one where there is none."""
    named = dict(enumerate(labels))
    config = SegformerConfig(
        hidden_sizes=[8, 8, 8, 8],
        num_attention_heads=[1, 1, 1, 1],
        depths=[1, 1, 1, 1],
        sr_ratios=[1, 1, 1, 1],
        decoder_hidden_size=8,
        **(
            {"id2label": named, "label2id": {label: number for number, label in named.items()}}
            if labels
            else {"num_labels": 1}
        ),
    )
    model = SegformerForSemanticSegmentation(config)
    return save(model, directory, {"image_processor_type": "SegformerImageProcessor", **SIZE})


def subject(directory: Path) -> str:
    return segformer(directory, "background", "person", "cat")


def one_class(directory: Path) -> str:
    return segformer(directory)


def no_background(directory: Path) -> str:
    path = Path(subject(directory))
    config = json.loads((path / "config.json").read_text())
    config["id2label"]["0"] = "sky"
    (path / "config.json").write_text(json.dumps(config))
    return str(path)


def sam(directory: Path) -> str:
    config = SamConfig(
        vision_config={
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
            "output_channels": 16,
            "mlp_dim": 16,
            "global_attn_indexes": [0],
            "window_size": 2,
            "num_pos_feats": 8,
        },
        prompt_encoder_config={
            "hidden_size": 16,
            "image_size": 64,
            "patch_size": 16,
            "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 16,
            "mlp_dim": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
    )
    return save(SamModel(config), directory, {"image_processor_type": "SamImageProcessor"})


def sam2(directory: Path) -> str:
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "num_attention_heads": 1,
        "image_size": [64, 64],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 1, 1],
        "window_size_per_stage": [8, 4, 4, 2],
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }
    config = Sam2Config(
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 16,
        },
        prompt_encoder_config={
            "hidden_size": 16,
            "image_size": 64,
            "patch_size": 16,
            "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 16,
            "mlp_dim": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
            "iou_head_depth": 2,
        },
    )
    # Its processor has no form without torchvision.
    return save(Sam2Model(config), directory, {"image_processor_type": "Sam2ImageProcessorFast"})


def words(directory: Path) -> str:
    tokenizer = clip_tokenizer()
    text = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": len(tokenizer),
        "projection_dim": 16,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 16,
    }
    config = CLIPSegConfig(
        text_config=text,
        vision_config=vision,
        projection_dim=16,
        extract_layers=[0, 1],
        reduce_dim=8,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=8,
    )
    tokenizer.save_pretrained(directory)
    model = CLIPSegForImageSegmentation(config)
    return save(model, directory, {"image_processor_type": "ViTImageProcessor", **SIZE})


def owl(directory: Path) -> str:
    tokenizer = clip_tokenizer()
    part = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    config = Owlv2Config(
        text_config=part
        | {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "pad_token_id": 0},
        vision_config=part | {"image_size": 64, "patch_size": 16},
        projection_dim=16,
    )
    tokenizer.save_pretrained(directory)
    model = Owlv2ForObjectDetection(config)
    return save(model, directory, {"image_processor_type": "Owlv2ImageProcessor", **SIZE})


def grounding_dino(directory: Path) -> str:
    """Return a network whose vocabulary has the special tokens where the model looks for them."""
    vocabulary = [f"[unused{number}]" for number in range(1040)]
    places = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: "."}
    for number, token in (places | {1029: "?", 1030: "a", 1031: "cup", 1032: "lamp"}).items():
        vocabulary[number] = token
    (directory / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(str(directory / "vocab.txt")).save_pretrained(directory)
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=160,
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        ),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=12,
        max_text_len=32,
    )
    size = {"size": {"height": 160, "width": 160}, "do_resize": True}
    processor = {"image_processor_type": "GroundingDinoImageProcessor", **size}
    return save(GroundingDinoForObjectDetection(config), directory, processor)


def yolos(directory: Path) -> str:
    config = YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[64, 64],
        patch_size=16,
        num_detection_tokens=8,
        id2label={0: "cup", 1: "lamp"},
        label2id={"cup": 0, "lamp": 1},
    )
    model = YolosForObjectDetection(config)
    size = {"size": {"height": 64, "width": 64}, "do_resize": True}
    return save(model, directory, {"image_processor_type": "YolosImageProcessor", **size})


def matting(directory: Path) -> str:
    backbone = VitDetConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_channels=4,
        image_size=64,
        patch_size=16,
        out_features=["stage1"],
    )
    config = VitMatteConfig(
        backbone_config=backbone,
        hidden_size=16,
        convstream_hidden_sizes=[8, 8, 8],
        fusion_hidden_sizes=[16, 8, 8, 8],
    )
    model = VitMatteForImageMatting(config)
    return save(model, directory, {"image_processor_type": "VitMatteImageProcessor"})


BUILDERS: dict[str, Callable[[Path], str]] = {
    "subject": subject,
    "one_class": one_class,
    "no_background": no_background,
    "sam": sam,
    "sam2": sam2,
    "words": words,
    "owl": owl,
    "grounding_dino": grounding_dino,
    "yolos": yolos,
    "matting": matting,
}


def isnet(directory: Path, prefix: str = "") -> Path:
    """Write a tiny IS-Net with the names of the published files."""
    generator = torch.Generator().manual_seed(5)
    tensors = {}

    def layer(name: str, inputs: int, outputs: int) -> None:
        tensors[f"{name}.conv_s1.weight"] = (
            torch.randn(outputs, inputs, 3, 3, generator=generator) / (9 * inputs) ** 0.5
        )
        tensors[f"{name}.conv_s1.bias"] = torch.randn(outputs, generator=generator) / 4
        tensors[f"{name}.bn_s1.weight"] = torch.rand(outputs, generator=generator) + 0.5
        tensors[f"{name}.bn_s1.bias"] = torch.randn(outputs, generator=generator) / 4
        tensors[f"{name}.bn_s1.running_mean"] = torch.zeros(outputs)
        tensors[f"{name}.bn_s1.running_var"] = torch.ones(outputs)
        tensors[f"{name}.bn_s1.num_batches_tracked"] = torch.tensor(7)

    def stage(name: str, depth: int, inputs: int) -> None:
        levels = depth or 4
        layer(f"{name}.rebnconvin", inputs, 4)
        for level in range(1, levels + 1):
            layer(f"{name}.rebnconv{level}", 4 if level == 1 else 2, 2)
        for level in range(1, levels):
            layer(f"{name}.rebnconv{level}d", 4, 4 if level == 1 else 2)

    for name, depth in _DEPTHS.items():
        stage(name, depth, 8 if name.endswith("d") else 4)
    tensors["conv_in.weight"] = torch.randn(4, 3, 3, 3, generator=generator) / 5
    tensors["conv_in.bias"] = torch.zeros(4)
    for side in range(1, 7):
        tensors[f"side{side}.weight"] = torch.randn(1, 4, 3, 3, generator=generator) / 6
        tensors[f"side{side}.bias"] = torch.zeros(1)
    path = directory / "isnet.safetensors"
    save_file({prefix + name: tensor for name, tensor in tensors.items()}, path)
    return path
