"""LoRAs and their relatives: each shape and layout makes the image that merging by hand makes."""

from __future__ import annotations

import json
import random
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from nodes.huggingface.model_kinds import IPAdapterModel, LoraModel, TextToImageModel
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, NodeError
from nodetool_core.errors import NodetoolError
from nodetool_core.models.diffusers.loras.changes import LayerQuantized, add_layer
from nodetool_core.models.diffusers.loras.layers import FileLayer
from nodetool_core.models.diffusers.loras.layouts import Place
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface.lora_shapes import FOR_ALL, FOR_CONVOLUTIONS
from tests.nodes.huggingface.module_digests import differences, digests
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_conditioning import draw
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.test_shared_modules import failing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes.huggingface.lora_shapes import Array

LINEAR = "up_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"
CONVOLUTION = "up_blocks.0.resnets.0.conv1"
TEXT = "encoder.layers.0.self_attn.v_proj"


def weights(repo_id: str, component: str) -> Path:
    (file,) = (Path(repo_id) / component).glob("*.safetensors")
    return file


def merged_copy(repo_id: str, component: str, changed: dict[str, Array], to: Path) -> str:
    """Return a copy of a model in which some weights are others."""
    if not to.exists():
        shutil.copytree(repo_id, to)
    file = weights(str(to), component)
    tensors = load_file(file)
    assert changed.keys() <= tensors.keys()
    save_file(tensors | {name: one.astype(np.float32) for name, one in changed.items()}, file)
    return str(to)


def save_lora(path: Path, layers: dict[str, dict[str, Array]], **metadata: str) -> str:
    tensors = {
        f"{layer}.{suffix}": np.array(tensor, order="C")
        for layer, own in layers.items()
        for suffix, tensor in own.items()
    }
    save_file(tensors, path, metadata={"format": "pt", **metadata})
    return str(path)


def distance(one: Any, other: Any) -> int:
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())


def kohya(path: str) -> str:
    return f"lora_unet_{path.replace('.', '_')}"


@pytest.mark.parametrize("path", [LINEAR, CONVOLUTION])
@pytest.mark.parametrize("shape", [*FOR_ALL, *FOR_CONVOLUTIONS])
def test_every_shape_makes_the_image_of_weights_merged_by_hand(
    shape: str,
    path: str,
    model: Callable[[str], str],
    recorder: Recorder,
    manager: ModelManager,
    tmp_path: Path,
) -> None:
    if shape in FOR_CONVOLUTIONS and path != CONVOLUTION:
        pytest.skip("for convolutions alone")
    repo_id = model("stable_diffusion")
    weight = load_file(weights(repo_id, "unet"))[f"{path}.weight"]
    tensors, merged = (FOR_ALL | FOR_CONVOLUTIONS)[shape](np.random.default_rng(1), weight)
    file = save_lora(tmp_path / "lora.safetensors", {kohya(path): tensors})
    plain = draw(recorder, repo_id)
    of_model = {one.name for one in manager.runtime.store.components() if repo_id in one.name}
    before = digests(manager, of_model)
    got = draw(recorder, repo_id, loras=[LoraModel(repo_id=file)])
    assert of_model and differences(before, digests(manager, of_model)) == []
    wanted = draw(
        recorder, merged_copy(repo_id, "unet", {f"{path}.weight": merged}, tmp_path / "merged")
    )
    assert distance(got, wanted) <= 1 < distance(plain, wanted)
    assert draw(recorder, repo_id, loras=[LoraModel(repo_id=file, scale=0)]) == plain
    assert draw(recorder, repo_id) == plain
    assert recorder.warnings == []


@pytest.mark.parametrize("shape", ["lora", "loha", "dora", "dora_of_rows"])
@pytest.mark.parametrize(
    ("family", "name", "paths"),
    [
        (
            "stable_diffusion_3",
            "diffusion_model.joint_blocks.0.x_block.attn.qkv",
            [f"transformer_blocks.0.attn.to_{one}" for one in "qkv"],
        ),
        ("stable_diffusion_3", "lora_unet_final_layer_adaLN_modulation_1", ["norm_out.linear"]),
        (
            "flux",
            "lora_unet_single_blocks_0_linear1",
            [
                *(f"single_transformer_blocks.0.attn.to_{one}" for one in "qkv"),
                "single_transformer_blocks.0.proj_mlp",
            ],
        ),
    ],
)
def test_layers_that_authors_keep_as_one_are_changed_as_one(
    family: str,
    name: str,
    paths: list[str],
    shape: str,
    model: Callable[[str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    repo_id = model(family)
    stored = load_file(weights(repo_id, "transformer"))
    parts = [stored[f"{path}.weight"] for path in paths]
    # Scale and shift are in the other order.
    is_swapped = "adaLN" in name
    whole = np.roll(np.concatenate(parts), len(parts[0]) // 2 if is_swapped else 0, axis=0)
    tensors, merged = FOR_ALL[shape](np.random.default_rng(1), whole)
    merged = np.roll(merged, len(parts[0]) // 2 if is_swapped else 0, axis=0)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    changed = {
        f"{path}.weight": part for path, part in zip(paths, np.split(merged, ends), strict=True)
    }
    file = save_lora(tmp_path / "lora.safetensors", {name: tensors})
    got = draw(recorder, repo_id, loras=[LoraModel(repo_id=file)])
    wanted = draw(recorder, merged_copy(repo_id, "transformer", changed, tmp_path / "merged"))
    assert distance(got, wanted) <= 1 and recorder.warnings == []
    assert got != draw(recorder, repo_id)


@pytest.mark.parametrize("shape", ["loha", "dora"])
def test_a_model_in_fp8_takes_every_shape(
    shape: str, model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    weight = load_file(weights(repo_id, "unet"))[f"{LINEAR}.weight"]
    tensors, _ = FOR_ALL[shape](np.random.default_rng(1), weight)
    file = save_lora(tmp_path / "lora.safetensors", {kohya(LINEAR): tensors})
    fp8 = TextToImageModel(repo_id=repo_id, dtype="bfloat16", quantization="fp8")

    def run(*loras: LoraModel) -> object:
        node = TextToImage(
            model=fp8, prompt="a lake", num_inference_steps=2, seed=1, loras=list(loras)
        )
        return node.process(recorder.context).output

    plain = run()
    assert run(LoraModel(repo_id=file)) != plain
    assert run() == plain


def test_quantized_weights_take_plain_loras_alone() -> None:
    layer = torch.nn.Linear(8, 4, bias=False)
    layer.weight = torch.nn.Parameter(torch.ones(4, 8, dtype=torch.int8), requires_grad=False)
    layer.forward = lambda given: torch.zeros(len(given), 4)  # type: ignore[method-assign]
    network = torch.nn.Sequential(layer)
    plain = FileLayer("0", {"down": torch.ones(1, 8), "up": torch.ones(4, 1)})
    place = Place("unet", ("0",))
    add_layer(network, plain, place, {}, 0.5)
    assert torch.equal(network(torch.ones(2, 8)), torch.full((2, 4), 4.0))
    other = FileLayer("0", {"diff": torch.ones(4, 8)})
    with pytest.raises(LayerQuantized, match="full difference"):
        add_layer(network, other, place, {}, 1.0)


@pytest.mark.parametrize("spelling", ["lora_te_text_model_{}", "text_encoder.text_model.{}"])
def test_text_encoders_have_a_strength_of_their_own(
    spelling: str, model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    rng = np.random.default_rng(2)
    made = {}
    for component, path in (("unet", LINEAR), ("text_encoder", TEXT)):
        stored = load_file(weights(repo_id, component))
        name = next(one for one in stored if one.endswith(f"{path}.weight"))
        made[component] = (name, *FOR_ALL["loha"](rng, stored[name]))
    text = spelling.format(TEXT.replace(".", "_") if "_te_" in spelling else TEXT)
    file = save_lora(
        tmp_path / "lora.safetensors",
        {kohya(LINEAR): made["unet"][1], text: made["text_encoder"][1]},
    )

    def merged(*components: str) -> str:
        to = tmp_path / "-".join(components)
        for component in components:
            name, _, weight = made[component]
            merged_copy(repo_id, component, {name: weight}, to)
        return str(to)

    for scales, wanted in (
        ({}, merged("unet", "text_encoder")),
        ({"text_encoder_scale": 0.0}, merged("unet")),
        ({"scale": 0.0, "text_encoder_scale": 1.0}, merged("text_encoder")),
        ({"scale": 0.0}, repo_id),
    ):
        lora = LoraModel(repo_id=file, **scales)
        got = draw(recorder, repo_id, loras=[lora])
        assert distance(got, draw(recorder, wanted)) <= 1, scales
    assert len({draw(recorder, merged(one)).tobytes() for one in ("unet", "text_encoder")}) == 2


def test_biases_are_changed_as_well(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    stored = load_file(weights(repo_id, "unet"))
    change = np.random.default_rng(3).standard_normal(stored[f"{CONVOLUTION}.bias"].shape)
    norm = CONVOLUTION.replace("conv1", "norm1")
    file = save_lora(
        tmp_path / "lora.safetensors",
        {
            kohya(CONVOLUTION): {"diff_b": change.astype(np.float32)},
            kohya(norm): {
                "w_norm": np.ones_like(stored[f"{norm}.weight"]),
                "b_norm": np.ones_like(stored[f"{norm}.bias"]),
            },
        },
    )
    wanted = merged_copy(
        repo_id,
        "unet",
        {
            f"{CONVOLUTION}.bias": stored[f"{CONVOLUTION}.bias"] + change,
            f"{norm}.weight": stored[f"{norm}.weight"] + 1,
            f"{norm}.bias": stored[f"{norm}.bias"] + 1,
        },
        tmp_path / "merged",
    )
    got = draw(recorder, repo_id, loras=[LoraModel(repo_id=file)])
    assert distance(got, draw(recorder, wanted)) <= 1 < distance(got, draw(recorder, repo_id))


def peft_files(kind: str, repo_id: str, to: Path) -> dict[str, Array]:
    """Save an adapter as PEFT does, with random numbers, and return the weights it merges."""
    import peft
    from diffusers import UNet2DConditionModel

    configurations: dict[str, Any] = {
        "lora": lambda: peft.LoraConfig(r=2, lora_alpha=3, target_modules=["to_k", "conv1"]),
        "dora": lambda: peft.LoraConfig(
            r=2, lora_alpha=3, target_modules=["to_k", "conv1"], use_dora=True
        ),
        "rslora": lambda: peft.LoraConfig(
            r=2, lora_alpha=3, target_modules=["to_k"], use_rslora=True
        ),
        "loha": lambda: peft.LoHaConfig(r=2, alpha=3, target_modules=["to_k", "conv1"]),
        "lokr": lambda: peft.LoKrConfig(r=2, alpha=3, target_modules=["to_k", "conv1"]),
        "ia3": lambda: peft.IA3Config(
            target_modules=["to_k", "ff.net.2", "conv1"], feedforward_modules=["ff.net.2"]
        ),
        "oft": lambda: peft.OFTConfig(oft_block_size=4, r=0, target_modules=["to_k"]),
        "boft": lambda: peft.BOFTConfig(boft_block_size=4, target_modules=["to_k", "conv1"]),
        "exact_oft": lambda: peft.OFTConfig(
            oft_block_size=4, r=0, target_modules=["to_k"], use_cayley_neumann=False
        ),
    }
    unet = UNet2DConditionModel.from_pretrained(Path(repo_id) / "unet")
    tuned: Any = peft.get_peft_model(unet, configurations[kind]())
    generator = torch.Generator().manual_seed(1)
    size = 0.15 if "oft" in kind else 0.4
    for name, parameter in tuned.named_parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator) * size
            is_length = any(part in name for part in ("magnitude", "ia3", "boft_s"))
            parameter.data = parameter.data + noise.abs() if is_length else noise
    tuned.save_pretrained(to)
    merged = tuned.merge_and_unload().state_dict()
    return {name: tensor.detach().numpy() for name, tensor in merged.items()}


@pytest.mark.parametrize(
    "kind", ["lora", "dora", "rslora", "loha", "lokr", "ia3", "oft", "boft", "exact_oft"]
)
def test_folders_of_peft_make_the_image_that_peft_merges(
    kind: str, model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    merged = peft_files(kind, repo_id, tmp_path / "adapter")
    got = draw(recorder, repo_id, loras=[LoraModel(repo_id=str(tmp_path / "adapter"))])
    wanted = draw(recorder, merged_copy(repo_id, "unet", merged, tmp_path / "merged"))
    assert distance(got, wanted) <= 1 < distance(got, draw(recorder, repo_id))
    assert recorder.warnings == []


def test_what_is_not_applied_is_named_by_families_of_names(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    weight = load_file(weights(repo_id, "unet"))[f"{LINEAR}.weight"]
    tensors, _ = FOR_ALL["lora"](np.random.default_rng(1), weight)
    lacking = {f"lora_unet_down_blocks_7_attentions_{n}_proj_in": tensors for n in range(3)}
    strange = {"lora_unet_conv_in": {"vera_lambda_b": np.ones(3, np.float32)}}
    file = save_lora(tmp_path / "lora.safetensors", {kohya(LINEAR): tensors} | lacking | strange)
    draw(recorder, repo_id, loras=[LoraModel(repo_id=file)])
    (warning,) = recorder.warnings
    assert "lacks 3 of the layers" in warning
    assert "lora_unet_down_blocks_*_attentions_*_proj_in (3)" in warning
    assert (
        "1 tensors are of no method that is known, lora_unet_conv_in.vera_lambda_b (1)" in warning
    )


WIDE: dict[str, dict[str, tuple[int, ...]]] = {
    "sdxl": {"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 1280)},
    "sd1": {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (
            4,
            768,
        )
    },
    "flux": {"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 3072)},
    "sd3": {"diffusion_model.joint_blocks.0.x_block.attn.qkv.lora_A.weight": (4, 1536)},
}


@pytest.mark.parametrize(
    ("family", "own"), [("stable_diffusion_xl", "sdxl"), ("stable_diffusion_3", "sd3")]
)
def test_a_lora_of_another_family_is_refused_before_anything_is_loaded(
    family: str, own: str, model: Callable[[str], str], tmp_path: Path
) -> None:
    manager = ModelManager(device="cpu")
    for made_for, shapes in WIDE.items():
        file = tmp_path / f"{made_for}.safetensors"
        save_file({name: np.ones(shape, np.float32) for name, shape in shapes.items()}, file)
        with pytest.raises(NodeError) as caught:
            draw(Recorder(manager), model(family), loras=[LoraModel(repo_id=str(file))])
        assert ("is made for" in caught.value.problem.message) == (made_for != own)
        if made_for != own:
            assert caught.value.problem.code == "model_unfit"
            assert manager.loads == 0 and manager.loaded() == []
            continue
        manager.free()
        manager = ModelManager(device="cpu")


def test_files_of_other_kinds_are_refused_by_what_they_are(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    repo_id = model("stable_diffusion")
    with pytest.raises(NodeError, match=r"looks like an autoencoder.*, and is no LoRA"):
        draw(recorder, repo_id, loras=[LoraModel(repo_id=str(weights(repo_id, "vae")))])


def test_half_a_layer_is_refused(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    weight = load_file(weights(repo_id, "unet"))[f"{CONVOLUTION}.weight"]
    for shape in ("lora", "loha", "lokr_factored", "ia3"):
        tensors, _ = FOR_ALL[shape](np.random.default_rng(1), weight)
        for left_out in sorted(tensors.keys() - {"alpha", "on_input"}):
            part = {name: one for name, one in tensors.items() if name != left_out}
            file = save_lora(tmp_path / "half.safetensors", {kohya(CONVOLUTION): part})
            with pytest.raises(NodetoolError) as caught:
                draw(recorder, repo_id, loras=[LoraModel(repo_id=file)])
            assert caught.value.problem.code in {"model_incomplete", "model_unfit"}, left_out


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Return a file with a few bytes of its head changed, or with other names and shapes in it."""
    (length,) = struct.unpack("<Q", content[:8])
    head = bytearray(content[8 : 8 + length])
    if rng.random() < 0.5:
        for _ in range(rng.randrange(1, 4)):
            head[rng.randrange(len(head))] = rng.randrange(256)
        return content[:8] + bytes(head) + content[8 + length :]
    entries = json.loads(head)
    name = rng.choice([one for one in entries if one != "__metadata__"])
    entry = entries.pop(name)
    what = rng.randrange(5)
    if what == 0:
        entry["shape"] = rng.choice([[1, *entry["shape"]], entry["shape"][::-1], [-1], [2**40]])
    elif what == 1:
        entry["dtype"] = rng.choice(["I64", "F16", "U8", "F8_E4M3", "Q9", None])
    elif what == 2:
        entry["data_offsets"] = rng.choice([[0, 0], [4, 2], ["a"], [0, 2**50], None])
    elif what == 3:
        name = rng.choice([name[:-1], f"x.{name}", name.upper(), "../../etc", "", "a" * 5000])
    if what != 4:
        entries[name] = entry
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def test_500_mutated_headers_give_one_clear_message_each(
    model: Callable[[str], str], manager: ModelManager, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    stored = load_file(weights(repo_id, "unet"))
    rng, random_numbers = random.Random(0), np.random.default_rng(1)
    layers = {}
    for path, shape in ((LINEAR, "dora"), (CONVOLUTION, "lokr_factored")):
        layers[kohya(path)] = FOR_ALL[shape](random_numbers, stored[f"{path}.weight"])[0]
    whole = Path(save_lora(tmp_path / "whole.safetensors", layers)).read_bytes()
    codes = set()
    for number in range(500):
        file = tmp_path / f"{number}.safetensors"
        file.write_bytes(mutated(whole, rng))
        recorder = Recorder(manager)
        try:
            draw(recorder, repo_id, loras=[LoraModel(repo_id=str(file))], num_inference_steps=1)
        except NodetoolError as error:
            problem = error.problem
            assert problem.hint and len(problem.message) < 600, problem
            codes.add(problem.code)
        else:
            # Names that nothing needs, such as that of alpha, may be any.
            assert len(recorder.warnings) <= 2
        file.unlink()
    assert codes >= {"model_unreadable", "model_incomplete", "model_unfit"}, codes


@pytest.mark.parametrize("shape", ["lora", "loha", "dora"])
def test_loras_stay_where_weights_are_kept_in_host_memory(
    shape: str, model: Callable[[str], str], tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    layers, to = {}, tmp_path / "merged"
    for component, path in (("unet", LINEAR), ("unet", CONVOLUTION), ("text_encoder", TEXT)):
        stored = load_file(weights(repo_id, component))
        name = next(one for one in stored if one.endswith(f"{path}.weight"))
        made, merged = FOR_ALL[shape](np.random.default_rng(1), stored[name])
        layer = path.replace(".", "_")
        layers[f"lora_unet_{layer}" if component == "unet" else f"lora_te_{layer}"] = made
        merged_copy(repo_id, component, {name: merged}, to)
    loras = [LoraModel(repo_id=save_lora(tmp_path / "lora.safetensors", layers))]
    images = []
    for name, given in ((repo_id, loras), (str(to), [])):
        models = ModelManager(device="cpu")
        plain = draw(Recorder(models), name, loras=given)
        before = digests(models)
        # The second want of memory has the modules keep their weights in host memory.
        with failing(models, 2):
            images.append((plain, draw(Recorder(models), name, loras=given)))
        assert differences(before, digests(models)) == []
    (plain, offloaded), (wanted_plain, wanted_offloaded) = images
    assert distance(plain, wanted_plain) <= 1 and distance(offloaded, wanted_offloaded) <= 1


def test_a_lora_and_an_image_prompt_change_one_network(
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    repo_id = model("stable_diffusion")
    weight = load_file(weights(repo_id, "unet"))[f"{LINEAR}.weight"]
    tensors, merged = FOR_ALL["loha"](np.random.default_rng(1), weight)
    file = save_lora(tmp_path / "lora.safetensors", {kohya(LINEAR): tensors})
    prompt = {
        "ip_adapter_model": IPAdapterModel(repo_id=adapter("ip_adapter", "stable_diffusion")),
        "ip_adapter_image": ImageData.of(scene(40, 40)),
    }
    got = draw(recorder, repo_id, loras=[LoraModel(repo_id=file)], **prompt)
    changed = merged_copy(repo_id, "unet", {f"{LINEAR}.weight": merged}, tmp_path / "merged")
    assert distance(got, draw(recorder, changed, **prompt)) <= 1
    assert got != draw(recorder, repo_id, **prompt)
