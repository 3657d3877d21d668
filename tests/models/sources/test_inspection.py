"""What files of weights are by their heads: kinds, families, trainers; and broken heads."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from nodetool_core.errors import ModelError
from nodetool_core.models.sources.headers import Header, StoredTensor
from nodetool_core.models.sources.inspection import FileDescription, describe, inspect_file
from tests.models.broken import OF_BYTES, break_file
from tests.models.original_layout import write_single_file

if TYPE_CHECKING:
    from collections.abc import Callable


def described(shapes: dict[str, tuple[int, ...]], **metadata: str) -> FileDescription:
    return describe(
        Header({name: StoredTensor("F16", shape, 0) for name, shape in shapes.items()}, metadata)
    )


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight"], "a LoRA"),
        (["lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha"], "a LoRA"),
        (["base_model.model.transformer.proj.lora_B.weight"], "a LoRA"),
        (["double_blocks.0.processor.qkv_lora1.down.weight"], "a LoRA for FLUX.1"),
        (["lora_unet_double_blocks_0_img_attn_proj.lokr_w1"], "a LoRA for FLUX.1"),
        (["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"], "an IP adapter"),
        (["control_model.time_embed.0.weight"], "a ControlNet"),
        (
            ["controlnet_cond_embedding.conv_in.weight", "down_blocks.0.resnets.0.conv1.weight"],
            "a ControlNet",
        ),
        (["adapter.body.0.resnets.0.block1.weight"], "a T2I-Adapter"),
        (["decoder.up.0.block.0.conv1.weight", "quant_conv.weight"], "an autoencoder (VAE)"),
        (
            ["encoder.block.0.layer.0.SelfAttention.q.weight", "shared.weight"],
            "a text encoder (T5)",
        ),
        (["text_model.encoder.layers.0.mlp.fc1.weight"], "a text encoder (CLIP)"),
        (["transformer.resblocks.0.ln_1.weight"], "a text encoder (CLIP)"),
        (["vision_model.post_layernorm.weight", "visual_projection.weight"], "an image encoder"),
        (["model.layers.0.self_attn.q_proj.weight"], "a text encoder (a language model)"),
        (["params_ema.conv_first.weight"], "a network that enlarges images"),
        (["body.0.rdb1.conv1.weight"], "a network that enlarges images"),
        (["model.1.sub.0.RDB1.conv1.0.weight"], "a network that enlarges images"),
        (["emb_params"], "an embedding (textual inversion)"),
        (["clip_g", "clip_l"], "an embedding (textual inversion)"),
        (["<cat-toy>"], "an embedding (textual inversion)"),
        (["down_blocks.0.motion_modules.0.norm.weight"], "a motion module"),
        (["conv_in.weight", "down_blocks.0.resnets.0.conv1.weight"], "a denoiser alone"),
        (["model.diffusion_model.middle_block.0.in_layers.0.weight"], "a denoiser alone"),
        (["something.else"], "of no kind that is known"),
        ([], "of no kind that is known"),
    ],
)
def test_m16_kinds_of_files_by_the_names_in_them(names: list[str], name: str) -> None:
    found = described(dict.fromkeys(names, (4, 4)))
    assert found.name == name and found.hint


UNET_LAYER = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


@pytest.mark.parametrize(
    ("shapes", "family", "layout", "method"),
    [
        (
            {f"lora_unet_{UNET_LAYER.replace('.', '_')}.lora_down.weight": (8, 768)},
            "sd1",
            "kohya",
            "LoRA",
        ),
        (
            {f"lora_unet_{UNET_LAYER.replace('.', '_')}.lora_down.weight": (8, 2048)},
            "sdxl",
            "kohya",
            "LoRA",
        ),
        ({f"unet.{UNET_LAYER}.lora_A.weight": (8, 1024)}, "sd2", "diffusers", "LoRA"),
        (
            {f"base_model.model.{UNET_LAYER}.lora_A.weight": (8, 768)},
            "sd1",
            "PEFT",
            "LoRA",
        ),
        (
            {"lora_te2_text_model_encoder_layers_0_mlp_fc1.hada_w1_a": (8, 8)},
            "sdxl",
            "kohya",
            "LoHa",
        ),
        (
            {"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (16, 3072)},
            "flux",
            "diffusers",
            "LoRA",
        ),
        (
            {"diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight": (16, 6144)},
            "flux2",
            "original",
            "LoRA",
        ),
        (
            {"transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight": (16, 1536)},
            "sd3",
            "diffusers",
            "LoRA",
        ),
        (
            {"transformer.transformer_blocks.59.attn.add_k_proj.lora_A.weight": (16, 3072)},
            "qwen-image",
            "diffusers",
            "LoRA",
        ),
        (
            {"diffusion_model.layers.0.attention.to_q.lora_A.weight": (16, 3840)},
            "z-image",
            "original",
            "LoRA",
        ),
        (
            {"lora_unet_distilled_guidance_layer_layers_0_in_layer.lora_down.weight": (8, 64)},
            "chroma",
            "kohya",
            "LoRA",
        ),
        ({f"unet.{UNET_LAYER}.lora_magnitude_vector": (8,)}, None, "diffusers", "DoRA"),
    ],
)
def test_whose_a_lora_is(
    shapes: dict[str, tuple[int, ...]], family: str | None, layout: str, method: str
) -> None:
    found = described(shapes)
    assert found.kind == "lora" and found.lora is not None
    assert (found.family, found.lora.layout, found.lora.method) == (family, layout, method)


@pytest.mark.parametrize(
    ("metadata", "trainer", "family"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "sd-scripts", "sdxl"),
        ({"modelspec.architecture": "flux-1-dev/lora"}, None, "flux"),
        ({"ot_branch": "master"}, "OneTrainer", None),
        ({"software": '{"name": "ai-toolkit", "version": "0.7"}'}, "ai-toolkit", None),
        ({"software": "my-trainer"}, "my-trainer", None),
        ({"lora_adapter_metadata": "{}"}, "diffusers", None),
    ],
)
def test_what_the_texts_of_a_header_say(
    metadata: dict[str, str], trainer: str | None, family: str | None
) -> None:
    found = described(
        {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": (4, 4)}, **metadata
    )
    assert found.lora is not None
    assert (found.lora.trainer, found.family) == (trainer, family)


@pytest.mark.parametrize(
    ("model_name", "parts"),
    [
        ("stable_diffusion", {"unet": "sd1", "vae": "sd", "text_encoder": "clip"}),
        ("inpainting", {"unet": "sd1-inpaint"}),
        ("instruct_pix2pix", {"unet": "sd1-edit"}),
        ("stable_diffusion_xl", {"unet": "sdxl", "text_encoder_2": "clip"}),
        ("stable_diffusion_3", {"transformer": "sd3", "text_encoder_3": "t5"}),
        ("flux", {"transformer": "flux-dev", "text_encoder_2": "t5"}),
        ("flux_schnell", {"transformer": "flux-schnell"}),
        ("flux2", {"transformer": "flux2", "vae": "flux2", "text_encoder": "language-model"}),
        ("chroma", {"transformer": "chroma"}),
        ("qwen_image", {"transformer": "qwen-image", "vae": "wan"}),
        ("z_image", {"transformer": "z-image"}),
        ("lumina2", {"transformer": "lumina2"}),
        ("auraflow", {"transformer": "auraflow"}),
        ("sana", {"transformer": "sana", "vae": "sana"}),
        ("pixart_sigma", {"transformer": "pixart"}),
        ("hunyuan_dit", {"transformer": "hunyuan-dit"}),
        ("cogview4", {"transformer": "cogview4"}),
        ("hidream", {"transformer": "hidream"}),
    ],
)
def test_the_components_of_repositories(
    model_name: str, parts: dict[str, str], model: Callable[[str], str]
) -> None:
    kinds = {"unet": "denoiser", "transformer": "denoiser", "vae": "vae"}
    for part, family in parts.items():
        (file,) = (Path(model(model_name)) / part).glob("*.safetensors")
        found = inspect_file(file, part)
        assert (found.kind, found.family) == (kinds.get(part, "text_encoder"), family)


def test_a_checkpoint_and_what_it_holds(model: Callable[[str], str], tmp_path: Path) -> None:
    file = write_single_file(model("stable_diffusion"), tmp_path / "sd.safetensors")
    began = time.perf_counter()
    found = inspect_file(file, "sd")
    assert time.perf_counter() - began < 1
    assert found.name == "a checkpoint of Stable Diffusion 1"
    assert [(one.kind, one.prefix, one.layout) for one in found.components] == [
        ("text_encoder", "cond_stage_model.transformer.", "diffusers"),
        ("vae", "first_stage_model.", "original"),
        ("denoiser", "model.diffusion_model.", "original"),
    ]


def test_texts_encoders_by_their_size() -> None:
    for width, words, family in ((768, 49408, "clip-l"), (1280, 49408, "clip-g")):
        found = described({"text_model.embeddings.token_embedding.weight": (words, width)})
        assert found.family == family
    t5 = "encoder.block.0.layer.0.SelfAttention.q.weight"
    assert described({"shared.weight": (32128, 4096), t5: (4096, 4096)}).family == "t5-xxl"
    assert described({"shared.weight": (256384, 4096), t5: (4096, 4096)}).family == "umt5-xxl"


# -- what is none ---------------------------------------------------------------------------------


def refused(file: Path) -> str:
    with pytest.raises(ModelError) as caught:
        inspect_file(file, "the file")
    problem = caught.value.problem
    assert problem.where == "the file" and problem.hint
    return problem.code


@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors", "model.gguf", "model"])
def test_pickles_are_refused_under_every_name(name: str, tmp_path: Path) -> None:
    for is_zip in (True, False):
        torch.save(
            {"weight": torch.ones(2)}, tmp_path / name, _use_new_zipfile_serialization=is_zip
        )
        assert refused(tmp_path / name) == "model_pickled"


@pytest.mark.parametrize("how", OF_BYTES)
def test_broken_downloads_are_refused_in_words(how: str, tmp_path: Path) -> None:
    save_file({"weight": torch.ones(4, 4)}, tmp_path / "a.safetensors")
    break_file(tmp_path / "a.safetensors", how)
    assert refused(tmp_path / "a.safetensors") == "model_unreadable"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "is an image"),
        (b"<!DOCTYPE html><html></html>", "page of the web"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b'{"error": "not found"}', "JSON"),
        (b"\x1f\x8b" + bytes(64), "archive"),
        (b"GGUF", "cut short"),
        (b"GGUF\x01\x00\x00\x00" + bytes(64), "version 1"),
    ],
)
def test_what_people_find_in_the_place_of_weights(
    content: bytes, says: str, tmp_path: Path
) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=says):
        inspect_file(tmp_path / "a.safetensors", "a")


def test_folders_and_files_that_are_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path) == refused(tmp_path / "none.safetensors") == "model_unreadable"


@pytest.mark.parametrize("seed", range(250))
def test_mutated_headers_of_safetensors(seed: int, tmp_path: Path) -> None:
    """Each is described, or refused with a message; nothing else comes of it."""
    file = tmp_path / "a.safetensors"
    save_file({f"model.layers.{n}.weight": torch.ones(2, 3) for n in range(4)}, file, {"a": "b"})
    mutate(file, random.Random(seed), 8 + int.from_bytes(file.read_bytes()[:8], "little"))
    looked_at(file)


@pytest.mark.parametrize("seed", range(250))
def test_mutated_headers_of_gguf(seed: int, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    file = tmp_path / "a.gguf"
    writer = gguf.GGUFWriter(str(file), "sd1")
    writer.add_array("tokenizer.words", ["a", "b", "c"] * 20)
    writer.add_tensor("input_blocks.0.0.weight", torch.ones(4, 32).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    mutate(file, random.Random(seed), file.stat().st_size - 512)
    looked_at(file)


def mutate(file: Path, rng: random.Random, header: int) -> None:
    """Change up to four bytes of a header, or take some out."""
    content = bytearray(file.read_bytes())
    for _ in range(rng.randint(1, 4)):
        content[rng.randrange(header)] = rng.randrange(256)
    if rng.random() < 0.2:
        begin = rng.randrange(header)
        del content[begin : begin + rng.randint(1, 16)]
    file.write_bytes(bytes(content))


def looked_at(file: Path) -> None:
    try:
        json.dumps(inspect_file(file, "the file").name)
    except ModelError as error:
        assert error.problem.code in ("model_unreadable", "model_pickled")
        assert error.problem.message and error.problem.hint


def test_gguf_says_its_shapes_as_torch_has_them(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    file = tmp_path / "a.gguf"
    writer = gguf.GGUFWriter(str(file), "sd1")
    weight = torch.ones(8, 64).numpy()
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(
        "output_blocks.0.0.weight", gguf.quants.quantize(weight, kind), raw_dtype=kind
    )
    writer.add_tensor("middle_block.0.weight", torch.ones(3, 2).numpy())
    writer.add_tensor("input_blocks.0.0.weight", torch.ones(5).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = inspect_file(file, "a")
    assert (found.format, found.kind, found.tensors) == ("gguf", "denoiser", 3)
    assert found.number_formats == {"F32": 2, "Q8_0": 1}
    assert found.bytes == 8 * 64 // 32 * 34 + 4 * 6 + 4 * 5


def test_scales_beside_8_bit_weights_are_seen(tmp_path: Path, model: Callable[[str], str]) -> None:
    (file,) = (Path(model("stable_diffusion")) / "unet").glob("*.safetensors")
    save_file(
        load_file(file) | {"conv_in.scale_weight": torch.tensor(0.5)}, tmp_path / "a.safetensors"
    )
    assert inspect_file(tmp_path / "a.safetensors", "a").is_scaled_fp8
    assert not inspect_file(file, "a").is_scaled_fp8
