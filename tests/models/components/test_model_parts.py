"""
Models in parts: what a whole repository and the same model in parts paint, to the last bit.

Files in the layouts of authors and of diffusers, folders, checkpoints, 8 bits with scales, GGUF.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ModelRef
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.diffusers.tasks import ANY
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.hub import Hub
from tests.models.components.test_networks import files_of
from tests.models.hub_server import HubServer
from tests.models.original_layout import in_original_names, write_component, write_single_file
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.assets.image_data import ImageData

FAMILY = "stable-diffusion-v1-5/stable-diffusion-v1-5"
DENOISERS, VAES = ("unet", "transformer"), ("vae", "movq", "vqvae")


def weights_of(directory: str, part: str) -> Path:
    return next((Path(directory) / part).glob("*.safetensors"))


def parts_of(directory: str) -> list[str]:
    """Return the components of a tiny model that a part may take the place of."""
    return [
        one.name
        for one in sorted(Path(directory).iterdir())
        if (one.name in (*DENOISERS, *VAES) or one.name.startswith("text_encoder"))
        and any(one.glob("*.safetensors"))
    ]


def without_weights(directory: str, to: Path) -> Path:
    """Return a copy of a model's folder that has its configurations and no weights."""
    return shutil.copytree(directory, to, ignore=shutil.ignore_patterns("*.safetensors"))


def in_parts(base: object, files: dict[str, object], **options: Any) -> ModelRef:
    """Return a reference to a base with files by component."""

    def of(names: tuple[str, ...]) -> object:
        return next((str(file) for name, file in files.items() if name in names), None)

    encoders = [str(files[one]) for one in sorted(files) if one.startswith("text_encoder")]
    return ModelRef.model_validate(
        {
            "repo_id": str(base),
            "denoiser": of(DENOISERS),
            "text_encoders": encoders or None,
            "vae": of(VAES),
            **options,
        }
    )


def painted(recorder: Recorder, model: ModelRef) -> bytes:
    node = TextToImage(  # type: ignore[call-arg]
        model=model, prompt="a lake", seed=1, num_inference_steps=2, width=64, height=64
    )
    image: ImageData = node.process(recorder.context).output  # type: ignore[assignment]
    return image.image.tobytes()


def tensors(recorder: Recorder, model: ModelRef) -> dict[str, dict[str, torch.Tensor]]:
    """Return the weights of a model's pipeline by component."""
    with recorder.context.models.use(model, ANY, context=recorder.context) as lease:
        return {
            name: {key: one.clone() for key, one in part.state_dict().items()}
            for name, part in lease.pipeline.components.items()
            if isinstance(part, torch.nn.Module)
        }


def refused(model: ModelRef, hub: Hub | None = None) -> Problem:
    models = ModelManager(device="cpu", hub=hub)
    context = Recorder(models).context
    with pytest.raises(ModelError) as caught, models.use(model, "text-to-image", context=context):
        pass
    assert models.runtime.store.components() == [], "nothing was loaded"
    assert caught.value.problem.hint
    return caught.value.problem


@pytest.fixture(scope="module")
def single(model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("single")
    return write_single_file(model("stable_diffusion"), folder / "sd.safetensors")


@pytest.mark.parametrize(
    "family", ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux", "z_image"]
)
def test_a_model_in_parts_paints_what_the_whole_paints(
    family: str, model: Callable[[str], str], tmp_path: Path, recorder: Recorder
) -> None:
    directory = model(family)
    base = without_weights(directory, tmp_path / "base")
    files: dict[str, object] = {one: weights_of(directory, one) for one in parts_of(directory)}
    whole = painted(recorder, ModelRef(repo_id=directory))
    assert painted(recorder, in_parts(base, files)) == whole
    assert recorder.warnings == []


@pytest.mark.parametrize(
    "family",
    [
        "auraflow",
        "chroma",
        "cogview4",
        "flux2",
        "hidream",
        "hunyuan_dit",
        "kandinsky3",
        "lumina2",
        "pixart_sigma",
        "qwen_image",
        "sana",
        "inpainting",
    ],
)
def test_other_families_have_the_same_weights_in_parts(
    family: str, model: Callable[[str], str], tmp_path: Path, recorder: Recorder
) -> None:
    directory = model(family)
    base = without_weights(directory, tmp_path / "base")
    for one in Path(directory).iterdir():
        if one.is_dir() and one.name not in parts_of(directory):
            shutil.copytree(one, base / one.name, dirs_exist_ok=True)
    files: dict[str, object] = {one: weights_of(directory, one) for one in parts_of(directory)}
    whole = tensors(recorder, ModelRef(repo_id=directory))
    made = tensors(recorder, in_parts(base, files))
    assert whole.keys() == made.keys()
    for name, part in whole.items():
        assert part.keys() == made[name].keys()
        assert all(torch.equal(one, made[name][key]) for key, one in part.items()), name


@pytest.mark.parametrize(
    ("family", "part", "layout"),
    [
        ("stable_diffusion", "unet", "unet"),
        ("stable_diffusion", "vae", "vae"),
        ("stable_diffusion", "text_encoder", "text_encoder"),
        ("stable_diffusion_xl", "unet", "unet"),
        ("stable_diffusion_xl", "vae", "vae"),
        ("stable_diffusion_xl", "text_encoder_2", "open_clip"),
        ("z_image", "transformer", "z_image"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_parts_in_the_layout_of_their_authors(
    family: str,
    part: str,
    layout: str,
    prefix: str,
    model: Callable[[str], str],
    tmp_path: Path,
    recorder: Recorder,
) -> None:
    if prefix and part not in DENOISERS:
        pytest.skip("the prefix is that of denoisers")
    directory = model(family)
    stored = in_original_names(layout, load_file(weights_of(directory, part)))
    save_file(
        {f"{prefix}{key}": one.contiguous() for key, one in stored.items()}, tmp_path / "a.sft"
    )
    files = {one: weights_of(directory, one) for one in parts_of(directory)}
    made = tensors(recorder, in_parts(directory, {**files, part: tmp_path / "a.sft"}))[part]
    whole = tensors(recorder, ModelRef(repo_id=directory))[part]
    assert all(torch.equal(one, made[key]) for key, one in whole.items())


def test_folders_repositories_and_checkpoints_are_parts(
    single: Path, model: Callable[[str], str], tmp_path: Path, recorder: Recorder
) -> None:
    directory = model("stable_diffusion")
    whole = painted(recorder, ModelRef(repo_id=directory))
    base = without_weights(directory, tmp_path / "base")
    folders: dict[str, object] = {one: Path(directory) / one for one in parts_of(directory)}
    assert painted(recorder, in_parts(base, folders)) == whole
    assert painted(recorder, in_parts(base, dict.fromkeys(folders, directory))) == whole
    assert painted(recorder, in_parts(base, dict.fromkeys(folders, single))) == whole


def test_another_vae_is_another_image_and_all_else_is_shared(
    model: Callable[[str], str], tmp_path: Path
) -> None:
    directory = model("stable_diffusion")
    other = {key: 0.5 * one for key, one in load_file(weights_of(directory, "vae")).items()}
    save_file(other, tmp_path / "vae.safetensors")
    models = ModelManager(device="cpu")
    recorder = Recorder(models)
    whole = ModelRef(repo_id=directory)
    mixed = in_parts(directory, {"vae": tmp_path / "vae.safetensors"})
    assert painted(recorder, whole) != painted(recorder, mixed)
    names = [one.name.rpartition(" ")[2] for one in models.runtime.store.components()]
    assert sorted(names) == ["text_encoder", "unet", "vae", "vae"]
    again = in_parts(directory, {"vae": tmp_path / "vae.safetensors"}, variant=None)
    loads = models.loads
    painted(recorder, again)
    assert models.loads == loads


def test_a_part_that_was_overwritten_is_read_again(
    model: Callable[[str], str], tmp_path: Path, recorder: Recorder
) -> None:
    directory, file = model("stable_diffusion"), tmp_path / "vae.safetensors"
    stored = load_file(weights_of(directory, "vae"))
    save_file(stored, file)
    ref = in_parts(directory, {"vae": file})
    first, revision = painted(recorder, ref), recorder.context.models.revision(ref)
    save_file({key: 0.5 * one for key, one in stored.items()}, file)
    assert recorder.context.models.revision(ref) != revision
    assert painted(recorder, ref) != first


def test_the_vae_of_a_model_in_parts_encodes(
    model: Callable[[str], str], tmp_path: Path, recorder: Recorder
) -> None:
    directory = model("stable_diffusion")
    ref = in_parts(directory, {"vae": Path(directory) / "vae"})
    with recorder.context.models.use(ref, "network:vae", context=recorder.context) as lease:
        assert type(lease.part.model).__name__ == "AutoencoderKL"


@pytest.mark.parametrize("layout", ["diffusers", "original", "checkpoint"])
def test_a_vae_in_a_file_encodes_alone(
    layout: str, single: Path, family_hub: Hub, model: Callable[[str], str], tmp_path: Path
) -> None:
    directory = model("stable_diffusion")
    file = {"diffusers": weights_of(directory, "vae"), "checkpoint": single}.get(layout)
    file = file or write_component(directory, "vae", tmp_path / "vae.safetensors")
    models = ModelManager(device="cpu", hub=family_hub)
    context = Recorder(models).context
    for ref in (
        ModelRef(repo_id=str(file)),
        ModelRef.model_validate({"repo_id": "sd1", "vae": str(file)}),
        ModelRef.model_validate({"repo_id": directory, "vae": str(file)}),
    ):
        with models.use(ref, "network:vae", context=context) as lease:
            made = lease.part.model.state_dict()
        stored = load_file(weights_of(directory, "vae"))
        assert all(torch.equal(one, made[key]) for key, one in stored.items())
    assert len(models.runtime.store.components()) == 1, "one autoencoder, however it is named"


def test_a_controlnet_in_a_file_is_read(
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    tmp_path: Path,
    hub_server: HubServer,
) -> None:
    net = Path(adapter("controlnet", "stable_diffusion"))
    config = (net / "config.json").read_bytes()
    hub_server.repositories["lllyasviel/control_v11p_sd15_canny"] = {"config.json": config}
    models = ModelManager(device="cpu", hub=Hub(tmp_path / "cache", hub_server.endpoint))
    context = Recorder(models).context
    file = shutil.copy(next(net.glob("*.safetensors")), tmp_path / "canny.safetensors")
    with models.use(ModelRef(repo_id=str(file)), "network", context=context) as lease:
        assert type(lease.part.model).__name__ == "ControlNetModel"
    vae = weights_of(model("stable_diffusion"), "vae")
    with (
        pytest.raises(ModelError, match="looks like an autoencoder"),
        models.use(ModelRef(repo_id=str(vae)), "network", context=context),
    ):
        pass


# -- quantized files -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["scale_weight", "weight_scale"])
@pytest.mark.parametrize("by_row", [False, True])
def test_8_bits_with_scales_are_within_their_rounding(
    suffix: str,
    by_row: bool,
    model: Callable[[str], str],
    tmp_path: Path,
    recorder: Recorder,
) -> None:
    directory = model("stable_diffusion")
    plain = load_file(weights_of(directory, "unet"))
    stored: dict[str, torch.Tensor] = {"scaled_fp8": torch.empty(0, dtype=torch.float8_e4m3fn)}
    for key, one in plain.items():
        if key.endswith(".weight") and one.ndim > 1:
            size = one.abs().amax(dim=tuple(range(1, one.ndim))) if by_row else one.abs().max()
            scale = size.float() / 448
            sides = [-1, *[1] * (one.ndim - 1)] if by_row else []
            stored[key] = (one / scale.reshape(sides)).to(torch.float8_e4m3fn)
            stored[key.removesuffix("weight") + suffix] = scale
        else:
            stored[key] = one
    save_file(stored, tmp_path / "unet.safetensors")
    made = tensors(recorder, in_parts(directory, {"unet": tmp_path / "unet.safetensors"}))["unet"]
    for key, one in plain.items():
        assert torch.allclose(made[key], one, rtol=1 / 16, atol=float(one.abs().max()) / 448), key


def test_a_quantization_that_is_not_known_is_refused(
    model: Callable[[str], str], tmp_path: Path
) -> None:
    directory = model("stable_diffusion")
    stored = load_file(weights_of(directory, "unet"))
    form = torch.tensor(list(json.dumps({"format": "nvfp4"}).encode()), dtype=torch.uint8)
    stored |= {
        "conv_in.weight": stored["conv_in.weight"].to(torch.float8_e4m3fn),
        "conv_in.weight_scale": torch.tensor(1.0),
        "conv_in.comfy_quant": form,
    }
    save_file(stored, tmp_path / "unet.safetensors")
    problem = refused(in_parts(directory, {"unet": tmp_path / "unet.safetensors"}))
    assert problem.code == "model_quantization_unsupported"


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q5_1", "Q4_0"])
def test_a_gguf_is_within_its_quantization(
    kind: str, model: Callable[[str], str], tmp_path: Path, recorder: Recorder
) -> None:
    directory, file = model("stable_diffusion"), tmp_path / "unet.gguf"
    plain = in_original_names("unet", load_file(weights_of(directory, "unet")))
    expected = write_gguf(plain, file, kind)
    made = tensors(recorder, in_parts(directory, {"unet": file}))["unet"]
    whole = tensors(recorder, ModelRef(repo_id=directory))["unet"]
    unequal = 0
    for key, one in whole.items():
        assert made[key].shape == one.shape
        worst = (made[key] - one).abs().max()
        assert worst <= expected + 1e-6, (key, worst)
        unequal += int(worst > 0)
    assert unequal > 0


def write_gguf(stored: dict[str, torch.Tensor], file: Path, kind: str) -> float:
    """Write tensors as converters do, and return how far the furthest number moves."""
    gguf = pytest.importorskip("gguf")
    form = getattr(gguf.GGMLQuantizationType, kind)
    block, _ = gguf.GGML_QUANT_SIZES[form]
    writer = gguf.GGUFWriter(str(file), "sd1")
    furthest = 0.0
    for key, one in stored.items():
        values = one.float().numpy()
        flat = values
        if values.ndim > 1 and values.shape[-1] % block and values.size % block == 0:
            # Kernels of convolutions have no rows that blocks fit in.
            flat = values.reshape(-1, block)
            writer.add_array(f"comfy.gguf.orig_shape.{key}", list(values.shape))
        if values.ndim < 2 or flat.shape[-1] % block:
            writer.add_tensor(key, values)
            continue
        quantized = gguf.quants.quantize(flat, form)
        writer.add_tensor(key, quantized, raw_dtype=form)
        back = gguf.quants.dequantize(quantized, form).reshape(values.shape)
        furthest = max(furthest, float(np.abs(back - values).max()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return furthest


# -- bases -----------------------------------------------------------------------------------------


@pytest.fixture
def family_hub(model: Callable[[str], str], tmp_path: Path, hub_server: HubServer) -> Hub:
    hub_server.repositories[FAMILY] = files_of(model("stable_diffusion"))
    return Hub(tmp_path / "cache", hub_server.endpoint)


def test_only_the_rest_of_a_base_on_the_hub_is_fetched(
    family_hub: Hub, model: Callable[[str], str]
) -> None:
    directory = model("stable_diffusion")
    models = ModelManager(device="cpu", hub=family_hub)
    recorder = Recorder(models)
    ref = in_parts(FAMILY, {"unet": weights_of(directory, "unet")})
    assert models.revision(ref) is None
    assert painted(recorder, ref) == painted(recorder, ModelRef(repo_id=directory))
    assert models.revision(ref) is not None
    fetched = {one.parent.name for one in family_hub.cache_dir.rglob("*.safetensors")}
    assert "unet" not in fetched and "vae" in fetched


@pytest.mark.parametrize("base", ["", "sd1"])
def test_a_family_is_a_base(base: str, family_hub: Hub, model: Callable[[str], str]) -> None:
    directory = model("stable_diffusion")
    recorder = Recorder(ModelManager(device="cpu", hub=family_hub))
    files: dict[str, object] = {one: weights_of(directory, one) for one in parts_of(directory)}
    whole = painted(recorder, ModelRef(repo_id=directory))
    assert painted(recorder, in_parts(base, files)) == whole
    assert not list(family_hub.cache_dir.rglob("*.safetensors")), "no weights were fetched"
    del files["vae"]
    problem = refused(in_parts(base, files), family_hub)
    assert problem.code == "model_base_missing" and "`vae`" in problem.hint


def test_a_checkpoint_is_a_base(
    single: Path, family_hub: Hub, model: Callable[[str], str], tmp_path: Path
) -> None:
    directory = model("stable_diffusion")
    recorder = Recorder(ModelManager(device="cpu", hub=family_hub))
    vae = write_component(directory, "vae", tmp_path / "vae.safetensors")
    whole = painted(recorder, ModelRef(repo_id=directory))
    assert painted(recorder, in_parts(single, {"vae": vae})) == whole
    assert painted(recorder, ModelRef(repo_id=str(single))) == whole


# -- what does not fit -----------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_before_anything_is_loaded(
    model: Callable[[str], str], adapter: Callable[[str, str], str], tmp_path: Path
) -> None:
    directory, flux = model("stable_diffusion"), model("flux")
    vae, unet = weights_of(directory, "vae"), weights_of(directory, "unet")
    (tmp_path / "a.ckpt").write_bytes(b"x")
    (tmp_path / "cut.safetensors").write_bytes(unet.read_bytes()[:-9])
    cases: list[tuple[ModelRef, str, str]] = [
        (in_parts(directory, {"unet": vae}), "model_unfit", "looks like an autoencoder"),
        (in_parts(directory, {"vae": unet}), "model_unfit", "looks like a denoiser"),
        (
            in_parts(directory, {"vae": adapter("lora", "stable_diffusion")}),
            "model_unfit",
            "looks like a LoRA",
        ),
        (
            in_parts(directory, {"unet": weights_of(flux, "transformer")}),
            "model_unfit",
            "is a denoiser of FLUX.1 dev",
        ),
        (
            in_parts(directory, {"text_encoder": weights_of(flux, "text_encoder_2")}),
            "model_unfit",
            "no place left",
        ),
        (in_parts(directory, {"unet": tmp_path / "a.ckpt"}), "model_pickled", "pickled"),
        (in_parts(directory, {"unet": tmp_path / "cut.safetensors"}), "model_unreadable", "cut"),
        (in_parts(directory, {"unet": tmp_path / "no.safetensors"}), "model_path_missing", "no.s"),
        (in_parts("", {"vae": vae}), "model_base_missing", "without a base"),
        (in_parts("wan", {"vae": vae}), "model_base_missing", "no node uses"),
        (in_parts(vae, {"unet": unet}), "model_unfit", "no model by itself"),
    ]
    for ref, code, says in cases:
        problem = refused(ref)
        assert problem.code == code and says in problem.message, problem


def test_a_file_of_the_same_family_in_another_size_is_refused(
    model: Callable[[str], str], tmp_path: Path
) -> None:
    directory = model("stable_diffusion")
    stored = load_file(weights_of(directory, "vae"))
    stored["decoder.conv_in.bias"] = torch.ones(3)
    save_file(stored, tmp_path / "vae.safetensors")
    problem = refused(in_parts(directory, {"vae": tmp_path / "vae.safetensors"}))
    assert problem.code == "model_incomplete" and "decoder.conv_in.bias" in problem.message
    assert problem.where == str(tmp_path / "vae.safetensors")


def test_a_part_has_no_parts() -> None:
    with pytest.raises(ValueError, match="has no parts itself"):
        ModelRef.model_validate({"repo_id": "a/b", "vae": {"repo_id": "c/d", "vae": "e/f"}})


def test_references_with_parts_are_keys_and_json() -> None:
    ref = ModelRef.model_validate({"repo_id": "a/b", "vae": "c/d", "text_encoders": ["e/f"]})
    assert ModelRef.model_validate(ref.model_dump(mode="json")) == ref
    assert len({ref, ref.model_copy()}) == 1 and ref.label == "a/b + e/f + c/d"
    patterned = ref.model_copy(update={"vae": ModelRef(repo_id="c/d", allow_patterns=["*"])})
    assert patterned.key == ref
