"""Images of other tools, by what they state of their making."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nodes.importers.metadata import fooocus, invokeai, novelai, web_ui
from nodes.importers.metadata.fields import Fields
from nodes.importers.metadata.hidden import hidden_texts
from nodes.importers.metadata.importer import Reader
from nodes.importers.metadata.novelai_weights import with_our_weights
from nodes.importers.metadata.recipe import Writer
from nodetool_core import Workflow, WorkflowError
from nodetool_core.assets.infotext import comment_text
from nodetool_core.importing import NotRecognizedError, import_file
from nodetool_core.importing.draft import Draft, Grade, Imported, Unsupported
from nodetool_core.importing.report import report
from nodetool_core.validation import build_graph
from tests.nodes.importers.conftest import REGISTRY, edges, values

A1111 = """a lake at night, <lora:stars_v2:0.8>
Negative prompt: people
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 965400086, Size: 512x640, \
Model hash: 45dee52b, Model: dreamshaper_8, Lora hashes: "stars_v2: 1a2b", Version: v1.10.1"""
HIRES = """a cabin
Steps: 25, Sampler: Euler a, CFG scale: 6, Seed: 777, Size: 512x768, Model: v1-5-pruned-emaonly, \
Denoising strength: 0.5, Hires upscale: 2, Hires steps: 10, Hires upscaler: 4x-UltraSharp, \
Hires prompt: "a cabin, in detail", Hires CFG Scale: 5, Version: v1.10.1"""
INPAINT = """a boat
Steps: 30, Sampler: DDIM, CFG scale: 7.5, Seed: 5, Size: 512x512, Model: inpaint, Clip skip: 2, \
Denoising strength: 0.6, Mask blur: 4, Inpaint area: Only masked, Masked area padding: 32, \
Variation seed: 9, Variation seed strength: 0.2, ADetailer model: face_yolov8n.pt, \
ADetailer version: 24.1.1, Token merging ratio: 0.4, Version: v1.10.1"""
FORGE = """a yellow raincoat
Steps: 25, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, \
Seed: 42, Size: 896x1152, Model hash: d5d1e2a8b0, Model: flux1-dev-Q8_0, Version: f2.0.1v1.10.1, \
Module 1: ae, Module 2: clip_l, Module 3: t5xxl_fp16"""
CIVITAI = """light over the harbour
Steps: 20, CFG scale: 3.5, Sampler: Undefined, Seed: 12, Size: 832x1216, Clip skip: 1, Created \
Date: 2024-09-01T00:00:00.000Z, Civitai resources: [{"type":"checkpoint","modelVersionId":691639,\
"modelName":"FLUX","modelVersionName":"Dev"},{"type":"lora","weight":0.6,"modelVersionId":7,\
"modelName":"Mist","modelVersionName":"v1"}], Civitai metadata: {}"""
CONTROL = """a house
Steps: 20, Sampler: UniPC, CFG scale: 7, Seed: 3, Size: 512x512, Model: sd15, \
ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 0.9, Resize Mode: \
Crop and Resize, Processor Res: 512, Threshold A: 50, Threshold B: 150, Guidance Start: 0, \
Guidance End: 0.8, Pixel Perfect: True, Control Mode: Balanced", \
ControlNet 1: "Module: none, Model: control_v11f1p_sd15_depth [cfd03158], Weight: 1", TI hashes: \
"easynegative: c74b4e81\""""
FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "juggernautXL_v8Rundiffusion",
    "base_model_hash": "aeb7e9e689",
    "clip_skip": 2,
    "full_negative_prompt": ["blurry, cropped"],
    "full_prompt": ["cinematic still a goldfish . 35mm photo"],
    "guidance_scale": 4,
    "loras": [["sd_xl_offset_example-lora_1.0", 0.1, "4852686128"]],
    "lora_combined_1": "sd_xl_offset_example-lora_1.0 : 0.1",
    "metadata_scheme": "fooocus",
    "negative_prompt": "blurry",
    "performance": "Speed",
    "prompt": "a goldfish",
    "refiner_model": "None",
    "refiner_switch": 0.5,
    "resolution": "(768, 1280)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "127589946317439009",
    "sharpness": 2,
    "steps": 30,
    "styles": "['Fooocus V2']",
    "vae": "Default (model)",
    "version": "Fooocus v2.5.5",
}
NOVELAI = {
    "prompt": "1girl, rain",
    "steps": 28,
    "height": 1216,
    "width": 832,
    "scale": 5,
    "uncond_scale": 0,
    "cfg_rescale": 0.1,
    "seed": 3071474384,
    "n_samples": 1,
    "noise_schedule": "karras",
    "sampler": "k_euler_ancestral",
    "sm": False,
    "uc": "lowres",
    "request_type": "PromptGenerateRequest",
    "v4_prompt": {
        "caption": {
            "base_caption": "1girl, rain",
            "char_captions": [
                {"char_caption": "girl, umbrella", "centers": [{"x": 0.5, "y": 0.5}]}
            ],
        }
    },
}
INVOKEAI = {
    "generation_mode": "sdxl_txt2img",
    "positive_prompt": "a robot reading",
    "negative_prompt": "blurry",
    "width": 1184,
    "height": 888,
    "seed": 591741300,
    "rand_device": "cpu",
    "cfg_scale": 5.0,
    "cfg_rescale_multiplier": 0.0,
    "steps": 30,
    "scheduler": "dpmpp_2m_sde_k",
    "model": {
        "key": "db",
        "hash": "blake3:89",
        "name": "robots_XL",
        "base": "sdxl",
        "type": "main",
    },
    "loras": [
        {"model": {"key": "44", "name": "books", "base": "sdxl", "type": "lora"}, "weight": 1.5}
    ],
    "positive_style_prompt": "a robot reading",
    "negative_style_prompt": "",
    "seamless_x": True,
    "app_version": "6.3.0",
}


def png(folder: Path, texts: Mapping[str, str]) -> Path:
    chunks = PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    Image.new("RGB", (8, 8)).save(folder / "photo.png", pnginfo=chunks)
    return folder / "photo.png"


def of_text(folder: Path, text: str) -> Imported:
    return import_file(png(folder, {"parameters": text}), REGISTRY)


def fates(result: Imported) -> dict[str, str]:
    return {entry.node: str(entry.fate) for entry in report(result)}


def test_a_text_of_the_web_ui(tmp_path: Path) -> None:
    result = of_text(tmp_path, A1111)
    assert result.grade is Grade.WHOLE
    assert values(result, "image") == {
        "prompt": "a lake at night,",
        "negative_prompt": "people",
        "num_inference_steps": 20,
        "guidance_scale": 7.0,
        "seed": 965400086,
        "scheduler": "DPMSolverMultistepScheduler karras",
        "width": 512,
        "height": 640,
        "loras": [{"type": "hf.lora", "repo_id": "stars_v2.safetensors", "scale": 0.8}],
    }
    assert values(result, "model")["value"]["repo_id"] == "dreamshaper_8.safetensors"
    assert edges(result) == {"model.output > image.model", "image.output > output.value"}
    found = fates(result)
    assert found["Seed"] == "same" and found["Model hash"] == "other form"


@pytest.mark.parametrize(
    ("written", "scales"),
    [
        ("0.8", (0.8, None)),
        ("0.8:0.5", (0.5, 0.8)),
        ("0.5:0.5", (0.5, None)),
        ("te=0.2:unet=0.6", (0.6, 0.2)),
        ("te=0.2", (0.2, None)),
        ("1:unet=0.6", (0.6, 1.0)),
    ],
)
def test_the_two_scales_of_a_lora(
    tmp_path: Path, written: str, scales: tuple[float, float | None]
) -> None:
    result = of_text(tmp_path, A1111.replace("stars_v2:0.8>", f"stars_v2:{written}>"))
    (lora,) = values(result, "image")["loras"]
    assert (lora["scale"], lora.get("text_encoder_scale")) == scales
    assert result.grade is Grade.WHOLE


PROMPTS = """a (fox:1.2), [snow] BREAK night, MyStyle.
Negative prompt: easynegative, (bad_hands:1.1)
Steps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64, Model: {model}, Clip skip: 2, \
TI hashes: "EasyNegative: c74b4e81, bad_hands: 12ab, mystyle: 34cd", Version: v1.10.1"""


def test_weights_sections_and_embeddings(tmp_path: Path) -> None:
    result = of_text(tmp_path, PROMPTS.format(model="dreamshaper_8"))
    image = values(result, "image")
    assert image["prompt"] == "a (fox:1.2), [snow] BREAK night, embedding:mystyle ."
    assert image["negative_prompt"] == "embedding:EasyNegative, (embedding:bad_hands:1.1)"
    assert (image["prompt_syntax"], image["clip_skip"]) == ("weighted", 1)
    assert {one["repo_id"] for one in image["embeddings"]} == {
        "EasyNegative.safetensors",
        "bad_hands.safetensors",
        "mystyle.safetensors",
    }
    assert result.grade is Grade.WHOLE
    found = of_text(tmp_path, PROMPTS.format(model="animagineXL40_v4"))
    assert values(found, "image")["clip_skip"] == 0


def test_prompts_of_models_that_read_no_weights(tmp_path: Path) -> None:
    result = of_text(tmp_path, PROMPTS.format(model="flux1-dev-Q8_0"))
    image = values(result, "image")
    assert not {"prompt_syntax", "embeddings", "clip_skip"} & set(image)
    assert image["prompt"] == "a (fox:1.2), [snow] BREAK night, MyStyle."
    found = fates(result)
    assert found["Prompt"] == "approximated"
    assert (found["Clip skip"], found["TI hashes"]) == ("lost", "lost")


def test_a_weight_changes_the_image(tmp_path: Path) -> None:
    text = "a lake, (snow:{}), night\nSteps: 2, Sampler: Euler, CFG scale: 5, Seed: 1, Size: 64x64"
    made = []
    for weight in (1.1, 1.9, 1.1):
        document = of_text(tmp_path, text.format(weight)).document
        made.append(Workflow.from_document(document, REGISTRY).run()["image"])
    assert made[0] == made[2] and made[0] != made[1]


def test_a_second_pass_over_an_enlarged_image(tmp_path: Path) -> None:
    result = of_text(tmp_path, HIRES)
    assert values(result, "upscaled")["model"]["repo_id"] == "4x-UltraSharp.safetensors"
    assert (values(result, "enlarged")["width"], values(result, "enlarged")["height"]) == (
        1024,
        1536,
    )
    refined = values(result, "refined")
    assert (refined["strength"], refined["num_inference_steps"]) == (0.5, 20)
    assert (refined["prompt"], refined["guidance_scale"]) == ("a cabin, in detail", 5.0)
    assert "refined.output > output.value" in edges(result)


@pytest.mark.parametrize(
    ("sampler", "ours"),
    [("Use same sampler", "EulerAncestralDiscreteScheduler"), ("DDIM", "DDIMScheduler")],
)
def test_the_sampler_of_a_second_pass(tmp_path: Path, sampler: str, ours: str) -> None:
    result = of_text(
        tmp_path, HIRES.replace("Hires steps", f"Hires sampler: {sampler}, Hires steps")
    )
    assert values(result, "refined")["scheduler"] == ours and result.grade is Grade.WHOLE


def test_what_has_no_counterpart_is_named(tmp_path: Path) -> None:
    result = of_text(tmp_path, INPAINT)
    image = values(result, "image")
    assert (image["strength"], image["mask_blur"], image["crop_padding"]) == (0.6, 4, 32)
    assert {"source.output > image.image", "mask.output > image.mask_image"} <= edges(result)
    found = fates(result)
    lost = {name for name, fate in found.items() if fate == "lost"}
    assert image["clip_skip"] == 1
    assert lost == {"ADetailer model", "Token merging ratio"}


def test_variations_and_noise_of_another_size(tmp_path: Path) -> None:
    more = ", Variation seed: {}, Variation seed strength: {}, Seed resize from: 512x384"
    varied = of_text(tmp_path, A1111 + more.format(2**32, 0.25))
    names = ("variation_seed", "variation_strength", "seed_width", "seed_height")
    assert [values(varied, "image")[name] for name in names] == [2**32, 0.25, 512, 384]
    alike = of_text(tmp_path, A1111 + more.format(9, 0))
    assert not {"variation_seed", "variation_strength"} & values(alike, "image").keys()
    for one in (varied, alike):
        assert one.grade is Grade.WHOLE and "lost" not in fates(one).values()


def test_a_flow_model_in_parts(tmp_path: Path) -> None:
    result = of_text(tmp_path, FORGE)
    model = values(result, "model")["value"]
    assert model["denoiser"]["repo_id"] == "flux1-dev-Q8_0.gguf"
    assert [one["repo_id"] for one in model["text_encoders"]] == [
        "clip_l.safetensors",
        "t5xxl_fp16.safetensors",
    ]
    assert model["vae"]["repo_id"] == "ae.safetensors"
    assert values(result, "image")["guidance_scale"] == 3.5
    assert values(result, "image")["scheduler"] == "default" and result.grade is Grade.WHOLE


def test_files_that_civitai_knows(tmp_path: Path) -> None:
    result = of_text(tmp_path, CIVITAI)
    assert values(result, "model")["value"]["repo_id"] == "civitai_691639.safetensors"
    assert values(result, "image")["loras"][0]["scale"] == 0.6
    assert any("civitai.com/api/download/models/691639" in note.hint for note in result.notes)


def test_control_networks(tmp_path: Path) -> None:
    result = of_text(tmp_path, CONTROL)
    first, second = values(result, "controlnet"), values(result, "controlnet_2")
    assert first["controlnet"]["repo_id"] == "control_v11p_sd15_canny.safetensors"
    assert (first["scale"], first["start"], first["end"]) == (0.9, 0.0, 0.8)
    assert second["controlnet"]["repo_id"] == "control_v11f1p_sd15_depth.safetensors"
    assert (second["scale"], second["start"], second["end"]) == (1.0, 0.0, 1.0)
    assert values(result, "edges") == {"low_threshold": 50, "high_threshold": 150}
    assert {
        "edges.output > controlnet.image",
        "control_2.output > controlnet_2.image",
        "controlnet.output > controlnet_2.controlnets",
        "controlnet_2.output > image.controlnets",
    } <= edges(result)
    assert fates(result)["TI hashes"] == "lost"  # It stands in no prompt.


def test_one_control_network_for_all_steps(tmp_path: Path) -> None:
    text = CONTROL.replace("Guidance End: 0.8", "Guidance End: 1").partition(", ControlNet 1")[0]
    result = of_text(tmp_path, text)
    image = values(result, "image")
    assert image["controlnet"]["repo_id"] == "control_v11p_sd15_canny.safetensors"
    assert image["controlnet_conditioning_scale"] == 0.9
    assert "edges.output > image.control_image" in edges(result)


def test_image_prompts_beside_a_control_network(tmp_path: Path) -> None:
    unit = '"Module: ip-adapter_clip_sd15, Model: ip-adapter_sd15_plus [32cd8f7f], Weight: {}"'
    text = CONTROL.partition(", TI hashes")[0].partition(", ControlNet 1")[0]
    one = of_text(tmp_path, f"{text}, ControlNet 1: {unit.format(0.6)}")
    image = values(one, "image")
    assert image["ip_adapter_model"]["repo_id"] == "ip-adapter_sd15_plus.safetensors"
    assert image["ip_adapter_scale"] == 0.6
    assert {"style.output > image.ip_adapter_image", "controlnet.output > image.controlnets"} <= (
        edges(one)
    )
    second = f"ControlNet 2: {unit.format(0.3)}"
    both = of_text(tmp_path, f"{text}, ControlNet 1: {unit.format(0.6)}, {second}")
    assert values(both, "adapter_2")["scale"] == 0.3
    assert {
        "style_2.output > adapter_2.image",
        "adapter.output > adapter_2.ip_adapters",
        "adapter_2.output > image.ip_adapters",
    } <= edges(both)


def test_second_prompts_and_layers_of_invokeai(tmp_path: Path) -> None:
    def made(**more: Any) -> dict[str, Any]:
        texts = {"invokeai_metadata": json.dumps(INVOKEAI | more)}
        return values(import_file(png(tmp_path, texts), REGISTRY), "image")

    assert made(positive_style_prompt="oil on wood")["prompt_2"] == "oil on wood"
    assert "prompt_2" not in made()
    assert made(clip_skip=2, model={"name": "sd15", "base": "sd-1"})["clip_skip"] == 2
    assert "clip_skip" not in made(clip_skip=2)


def test_fooocus(tmp_path: Path) -> None:
    result = of_text(tmp_path, json.dumps(FOOOCUS))
    image = values(result, "image")
    assert image["prompt"] == "cinematic still a goldfish . 35mm photo"
    assert (image["seed"], image["width"], image["height"]) == (127589946317439009, 768, 1280)
    assert image["scheduler"] == "DPMSolverMultistepScheduler sde karras"
    assert len(image["loras"]) == 1
    assert fates(result)["sharpness"] == "approximated"


@pytest.mark.parametrize("styles", ["True", "7", "{'a': 1}", "['Sharp']"])
def test_styles_of_any_kind_are_noted(tmp_path: Path, styles: str) -> None:
    result = of_text(tmp_path, json.dumps(FOOOCUS | {"styles": styles}))
    assert any(note.where == "styles" for note in result.notes)


def test_novelai(tmp_path: Path) -> None:
    texts = {
        "Software": "NovelAI",
        "Source": "NovelAI Diffusion V4",
        "Comment": json.dumps(NOVELAI),
    }
    result = import_file(png(tmp_path, texts), REGISTRY)
    image = values(result, "image")
    assert image["prompt"] == "1girl, rain, girl, umbrella" and image["negative_prompt"] == "lowres"
    assert image["scheduler"] == "EulerAncestralDiscreteScheduler"
    found = fates(result)
    assert (found["cfg_rescale"], found["Source"]) == ("lost", "approximated")


def named(name: bytes, text: bytes) -> bytes:
    """Return a text as it lies in pixels."""
    return name + (len(text) * 8).to_bytes(4, "big") + text


def hidden_in(image: Image.Image, content: bytes, channels: str) -> None:
    """Write bytes into the lowest bits of an image, one by one."""
    bits = [byte >> (7 - place) & 1 for byte in content for place in range(8)]
    bands = [image.getbands().index(one) for one in channels]
    places = itertools.product(range(image.width), range(image.height), bands)
    for bit, (x, y, band) in zip(bits, places, strict=False):
        pixel: Any = list(image.getpixel((x, y)))  # type: ignore[arg-type]
        pixel[band] = pixel[band] & ~1 | bit
        image.putpixel((x, y), tuple(pixel))


@pytest.mark.parametrize("channels", ["A", "RGB"])
def test_texts_in_the_pixels(tmp_path: Path, channels: str) -> None:
    stated = {"Software": "NovelAI", "Source": "NovelAI V4", "Comment": json.dumps(NOVELAI)}
    name = {"A": b"stealth_pngcomp", "RGB": b"stealth_rgbcomp"}[channels]
    image = Image.new("RGBA", (60, 80), (90, 120, 200, 255))
    hidden_in(image, named(name, gzip.compress(json.dumps(stated).encode())), channels)
    image.save(tmp_path / "photo.png")
    found = values(import_file(tmp_path / "photo.png", REGISTRY), "image")
    assert found["scheduler"] == "EulerAncestralDiscreteScheduler"
    plain = Image.new("RGBA", (60, 80), (90, 120, 200, 255))
    hidden_in(plain, named(name[:-4] + b"info", A1111.encode()), channels)
    plain.save(tmp_path / "plain.png")
    assert values(import_file(tmp_path / "plain.png", REGISTRY), "image")["seed"] == 965400086


@pytest.mark.parametrize(
    "content", [b"stealth_pngcomp\xff\xff\xff\xff", b"stealth_pngcomp\0\0\0\x20abcd", b"no"]
)
def test_pixels_that_hold_no_text(tmp_path: Path, content: bytes) -> None:
    image = Image.new("RGBA", (40, 40), (90, 120, 200, 255))
    hidden_in(image, content, "A")
    image.save(tmp_path / "photo.png")
    with pytest.raises(NotRecognizedError):
        import_file(tmp_path / "photo.png", REGISTRY)
    assert hidden_texts((tmp_path / "photo.png").read_bytes(), "photo.png") == {}


@pytest.mark.parametrize(
    ("asked", "ours"),
    [
        ("a girl", "a girl"),
        ("a {{red}} hat", "a (red:1.103) hat"),
        ("a [blue] hat, (wide)", r"a (blue:0.9524) hat, \(wide\)"),
        ("1.5::rain, night::, -1::sun::", "(rain, night:1.5), (sun:-1)"),
    ],
)
def test_weights_of_novelai(asked: str, ours: str) -> None:
    assert with_our_weights(asked) == ours


def test_weighted_prompts_of_novelai(tmp_path: Path) -> None:
    plain = {name: value for name, value in NOVELAI.items() if "v4" not in name}
    comment = json.dumps(plain | {"prompt": "a {red} hat", "uc": "text"})
    result = import_file(png(tmp_path, {"Software": "NovelAI", "Comment": comment}), REGISTRY)
    image = values(result, "image")
    assert image["prompt"] == "a (red:1.05) hat" and image["prompt_syntax"] == "weighted"


def test_invokeai(tmp_path: Path) -> None:
    result = import_file(png(tmp_path, {"invokeai_metadata": json.dumps(INVOKEAI)}), REGISTRY)
    image = values(result, "image")
    assert image["scheduler"] == "DPMSolverMultistepScheduler sde karras"
    assert (image["seed"], image["guidance_scale"], image["loras"][0]["scale"]) == (
        591741300,
        5.0,
        1.5,
    )
    assert values(result, "model")["value"]["repo_id"] == "robots_XL.safetensors"
    assert [name for name, fate in fates(result).items() if fate == "lost"] == ["seamless_x"]


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-16", "ascii", "none"])
@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_the_encodings_of_a_comment(tmp_path: Path, encoding: str, suffix: str) -> None:
    codes = {"ascii": b"ASCII\0\0\0" + A1111.encode(), "none": bytes(8) + A1111.encode()}
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = codes.get(encoding) or b"UNICODE\0" + A1111.encode(encoding)
    Image.new("RGB", (8, 8)).save(tmp_path / f"photo.{suffix}", exif=exif)
    result = import_file(tmp_path / f"photo.{suffix}", REGISTRY)
    assert values(result, "image")["seed"] == 965400086


def test_texts_beside_images(tmp_path: Path) -> None:
    (tmp_path / "photo.txt").write_text(A1111)
    assert values(import_file(tmp_path / "photo.txt", REGISTRY), "image")["seed"] == 965400086
    assert comment_text("sørgmodig".encode()) == "sørgmodig"


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"prompt": 3}', "steps"])
def test_texts_that_state_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "photo.txt").write_text(text)
    with pytest.raises(NotRecognizedError):
        import_file(tmp_path / "photo.txt", REGISTRY)


def test_an_image_is_made_again(tmp_path: Path) -> None:
    """The workflow runs, and its image is another one with another seed."""
    text = "a lake\nSteps: 2, Sampler: Euler, CFG scale: 1, Seed: {}, Size: 64x64, Model: small"
    made = []
    for seed in (1, 2, 1):
        document = of_text(tmp_path, text.format(seed)).document
        workflow = Workflow.from_document(document, REGISTRY)
        made.append(workflow.run(model="nodetool/tiny-landscapes")["image"])
    assert made[0] == made[2] and made[0] != made[1] and made[0].image.size == (64, 64)


ALL: list[Any] = [A1111, HIRES, INPAINT, FORGE, CIVITAI, CONTROL, json.dumps(FOOOCUS)]


@pytest.mark.parametrize("text", ALL)
def test_every_field_has_an_entry(tmp_path: Path, text: str) -> None:
    result = of_text(tmp_path, text)
    entries = report(result)
    assert not [note for note in result.notes if note.level == "error"]
    assert len({entry.node for entry in entries}) == len(entries) > 5
    for entry in entries:
        assert entry.nodes or entry.messages, entry


values_of_files: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
DIALECTS: list[tuple[Reader, dict[str, object]]] = [
    *((web_ui.recipe_of, web_ui.fields_of(text)) for text in ALL[:-1]),
    (fooocus.recipe_of, FOOOCUS),
    (novelai.recipe_of, {"Source": "NovelAI"} | NOVELAI),
    (invokeai.recipe_of, INVOKEAI),
]


@given(st.data())
def test_values_of_any_kind_are_read_or_named(data: st.DataObject) -> None:
    read, known = data.draw(st.sampled_from(DIALECTS))
    names = data.draw(st.lists(st.sampled_from(sorted(known)), max_size=4))
    changed = known | {name: data.draw(values_of_files) for name in names}
    draft = Draft(REGISTRY)
    fields = Fields(changed, draft)
    try:
        Writer(read(fields), fields, draft).write()
    except Unsupported:
        return
    fields.close()
    result = draft.imported("photo", "photo.png")
    json.dumps(result.document.to_json(), allow_nan=False)
    for entry in report(result):
        assert entry.nodes or entry.messages, entry


@given(st.text(max_size=60), st.sampled_from(ALL), st.integers(0, 300))
def test_texts_that_were_cut_or_mixed(more: str, text: str, at: int) -> None:
    found = web_ui.fields_of(text[:at] + more + text[at:])
    draft = Draft(REGISTRY)
    fields = Fields(found, draft)
    Writer(web_ui.recipe_of(fields), fields, draft).write()
    fields.close()
    draft.imported("photo", "photo.png")


def damaged(content: bytes, drawn: random.Random) -> bytes:
    """Return bytes with a few changed, taken out, put in or cut off."""
    made = bytearray(content)
    for _ in range(drawn.randint(1, 6)):
        at = drawn.randrange(len(made) or 1)
        how = drawn.random()
        if how < 0.5:
            made[at : at + 1] = bytes([drawn.randrange(256)])
        elif how < 0.7:
            del made[at : at + drawn.randint(1, 30)]
        elif how < 0.95:
            made[at:at] = bytes(drawn.randrange(32, 127) for _ in range(drawn.randint(1, 8)))
        else:
            del made[at:]
    return bytes(made)


@pytest.mark.parametrize("seed", range(4))
def test_two_thousand_damaged_files_leave_no_traceback_and_no_silent_loss(
    tmp_path: Path, seed: int
) -> None:
    drawn, read = random.Random(seed), 0
    path = tmp_path / "photo.txt"
    for number in range(500):
        path.write_bytes(damaged(ALL[number % len(ALL)].encode(), drawn))
        try:
            result = import_file(path, REGISTRY)
        except WorkflowError:
            continue
        read += 1
        json.dumps(result.document.to_json(), allow_nan=False)
        for entry in report(result):
            assert entry.nodes or entry.messages, entry
    assert read > 50


def test_a_strength_that_is_no_number(tmp_path: Path) -> None:
    text = "a lake\nSteps: 20, Seed: 1, Size: 64x64, Denoising strength: much"
    result = of_text(tmp_path, text)
    assert values(result, "image")["strength"] == 0.75
    assert fates(result)["Denoising strength"] == "lost"


DREAM = '"a fox [blurry, text]" -s 50 -S 2980747362 -W 512 -H 768 -C 5 -A k_euler_a'
STATED = {
    "model_weights": "deliberate",
    "app_version": "2.3.0",
    "image": {
        **{"prompt": [{"prompt": "a fox [blurry, text]", "weight": 1.0}], "steps": 50},
        **{"cfg_scale": 5, "threshold": 0, "perlin": 0, "height": 768, "width": 512},
        **{"seed": 2980747362, "seamless": False, "type": "txt2img", "sampler": "k_euler_a"},
        "variations": [],
    },
}


@pytest.mark.parametrize("texts", [{"Dream": DREAM}, {"sd-metadata": json.dumps(STATED)}])
def test_the_first_versions_of_invokeai(tmp_path: Path, texts: dict[str, str]) -> None:
    result = import_file(png(tmp_path, texts), REGISTRY)
    image = values(result, "image")
    assert (image["prompt"], image["negative_prompt"]) == ("a fox", "blurry, text")
    assert (image["seed"], image["guidance_scale"], image["height"]) == (2980747362, 5.0, 768)
    assert image["scheduler"] == "EulerAncestralDiscreteScheduler"
    assert result.grade is not Grade.LOSSES


AFTERWARDS = [
    {"type": "codeformer", "strength": 0.9, "fidelity": 0.75},
    {"type": "esrgan", "scale": 4, "strength": 0.95},
]


@pytest.mark.parametrize(
    "texts",
    [
        {"Dream": f"{DREAM} -G 0.9 -cf 0.75 -U 4 0.95"},
        {
            "sd-metadata": json.dumps(
                STATED | {"image": STATED["image"] | {"postprocessing": AFTERWARDS}}  # type: ignore[operator]
            )
        },
    ],
)
def test_what_the_first_versions_did_afterwards_is_done(
    tmp_path: Path, texts: dict[str, str]
) -> None:
    result = import_file(png(tmp_path, texts), REGISTRY)
    found = {name: fates(result)[name] for name in ("facetool_strength", "upscale")}
    assert set(found.values()) == {"approximated"} and result.grade is Grade.NOTES
    assert values(result, "faces")["crop_to_mask"] is True
    assert values(result, "larger") == {"longest_side": 4 * 768}
    build_graph(result.document, REGISTRY)


def test_what_was_done_afterwards_and_is_not_known_is_lost(tmp_path: Path) -> None:
    stated = STATED | {"image": STATED["image"] | {"postprocessing": [{"type": "x"}]}}  # type: ignore[operator]
    result = import_file(png(tmp_path, {"sd-metadata": json.dumps(stated)}), REGISTRY)
    assert fates(result)["postprocessing"] == "lost"
    result = import_file(png(tmp_path, {"Dream": f"{DREAM} -U much"}), REGISTRY)
    assert fates(result)["upscale"] == "lost"


SWARM = {
    **{"prompt": "a (fox:1.2)", "negativeprompt": "blurry", "model": "XL/juggernautXL", "seed": 3},
    **{"steps": 20, "cfgscale": 6.5, "aspectratio": "1:1", "width": 1024, "height": 832},
    **{"sampler": "dpmpp_2m", "scheduler": "karras", "loras": ["Lora/ink"], "loraweights": ["0.5"]},
    **{"automaticvae": True, "swarm_version": "0.9.5.2"},
}


def test_swarm(tmp_path: Path) -> None:
    result = of_text(tmp_path, json.dumps({"sui_image_params": SWARM, "sui_extra_data": {}}))
    image = values(result, "image")
    wanted = {"seed": 3, "guidance_scale": 6.5, "height": 832, "prompt_syntax": "weighted"}
    assert image | wanted == image and image["scheduler"].endswith(" karras")
    assert image["loras"] == [{"type": "hf.lora", "repo_id": "ink.safetensors", "scale": 0.5}]
    assert values(result, "model")["value"]["repo_id"] == "juggernautXL.safetensors"
    assert result.grade is Grade.WHOLE


def test_swarm_begins_with_an_image_and_refines(tmp_path: Path) -> None:
    more = {"initimage": "a", "initimagecreativity": 0.4, "refinerupscale": 1.5}
    more |= {"refinercontrolpercentage": 0.3, "refinerupscalemethod": "model-4x.pth", "teacache": 1}
    result = of_text(tmp_path, json.dumps({"sui_image_params": SWARM | more}))
    assert (
        values(result, "image")["strength"] == 0.4 and values(result, "refined")["strength"] == 0.3
    )
    assert values(result, "upscaled")["model"]["repo_id"] == "4x.pth"
    assert [name for name, fate in fates(result).items() if fate == "lost"] == ["teacache"]
