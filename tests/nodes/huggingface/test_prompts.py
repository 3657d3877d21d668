"""Weights, sections, embeddings, clip skip and long prompts, in images of tiny pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from nodes.huggingface.model_kinds import EmbeddingModel
from nodetool_core import ImageToImageModel, NodeError
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.prompt_encoding import prompt_encoders
from nodetool_core.models.diffusers.prompt_syntax import parse
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.model_folders import ModelFolders
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_conditioning import draw, transform

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

FAMILIES = ("stable_diffusion", "stable_diffusion_xl")
BOTH = pytest.mark.parametrize("family", FAMILIES)


def weighted(recorder: Recorder, repo_id: str, prompt: str, **properties: Any) -> Image.Image:
    values = {"prompt": prompt, "prompt_syntax": "weighted", "guidance_scale": 7.5} | properties
    return draw(recorder, repo_id, **values)


@BOTH
@pytest.mark.parametrize("negative", ["", "a tree"])
@pytest.mark.parametrize("call", [draw, transform])
def test_neutral_weights_make_the_bytes_of_plain_prompts(
    family: str,
    negative: str,
    call: Callable[..., Image.Image],
    model: Callable[[str], str],
    recorder: Recorder,
) -> None:
    both = {"negative_prompt": negative, "guidance_scale": 7.5}
    plain = call(recorder, model(family), prompt="a lake by a hill", **both)
    for text in ("a lake by a hill", "a (lake:1.0) by ((a:1) hill:1)"):
        made = call(recorder, model(family), prompt=text, prompt_syntax="weighted", **both)
        assert made.tobytes() == plain.tobytes(), text
    assert recorder.warnings == []


@BOTH
def test_each_weight_changes_the_image_and_is_noted(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    texts = ("a lake", "a (lake:1.3)", "a (lake)", "a [lake]", "a (lake:0)", "a BREAK lake")
    made = [weighted(recorder, model(family), text).tobytes() for text in texts]
    assert len(set(made)) == len(texts)
    assert "prompt is read as 'a (lake:1.3)'." in recorder.warnings
    assert "prompt is read as 'a BREAK lake', in 2 parts." in recorder.warnings
    negatives = [
        weighted(recorder, model(family), "a lake", negative_prompt=text).tobytes()
        for text in ("a tree", "a (tree:1.5)")
    ]
    assert len({*negatives}) == 2
    # Off by default: brackets are text.
    assert (
        draw(recorder, model(family), prompt="a (lake:1.3)", guidance_scale=7.5).tobytes()
        not in made
    )


@BOTH
def test_words_after_token_77_count(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    # Each letter is a token of the tiny tokenizer.
    start = "a " * 150
    long, other = f"{start} lake {'b ' * 49}", f"{start} hill {'b ' * 49}"
    plain = [
        draw(recorder, model(family), prompt=text, guidance_scale=7.5) for text in (long, other)
    ]
    assert plain[0].tobytes() == plain[1].tobytes()
    made = [weighted(recorder, model(family), text) for text in (long, other, start)]
    assert len({one.tobytes() for one in made}) == 3
    assert any("in 3 parts" in warning for warning in recorder.warnings)


@BOTH
def test_negative_prompts_are_as_long_as_prompts(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    long = "a " * 100
    pairs = [(long, "b"), ("b", long), (long, long), (long, "")]
    made = [
        weighted(recorder, model(family), text, negative_prompt=negative).tobytes()
        for text, negative in pairs
    ]
    assert len(set(made)) == len(pairs)


@pytest.mark.parametrize(
    ("commas", "sizes"),
    [([70], [71, 75, 4]), ([40], [75, 75]), ([60, 70], [71, 75, 4]), ([], [75, 75])],
)
def test_a_chunk_ends_at_a_comma(
    commas: list[int], sizes: list[int], model: Callable[[str], str], recorder: Recorder
) -> None:
    ref = ImageToImageModel(repo_id=model("stable_diffusion"))
    words = ["," if place in commas else "a" for place in range(150)]
    (section,) = parse(" ".join(words))
    with recorder.context.models.use(ref, "text-to-image", context=recorder.context) as lease:
        (encoder,) = prompt_encoders(lease.pipeline, 0)
        assert [len(one) for one in encoder.chunks(encoder.tokens(section, {}))] == sizes


def test_pipelines_without_negative_prompts_take_weights(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    lcm = model("lcm")
    texts = ("a lake", "a (lake:1.0)", "a (lake:1.5)")
    made = [weighted(recorder, lcm, text).tobytes() for text in texts]
    assert made[0] == made[1] == draw(recorder, lcm, guidance_scale=7.5).tobytes() != made[2]
    assert recorder.warnings == ["prompt is read as 'a (lake:1.5)'."]
    weighted(recorder, lcm, "a lake", negative_prompt="a tree")
    assert recorder.warnings[1].startswith("negative_prompt is not used")


@BOTH
def test_clip_skip_leaves_out_layers(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    texts = {
        skip: draw(recorder, model(family), guidance_scale=7.5, clip_skip=skip).tobytes()
        for skip in (0, 1)
    }
    assert texts[0] != texts[1]
    assert texts[1] == weighted(recorder, model(family), "a lake", clip_skip=1).tobytes()
    assert texts[0] == draw(recorder, model(family), guidance_scale=7.5).tobytes()
    assert recorder.warnings == []


def test_the_second_encoder_may_have_a_prompt_of_its_own(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    xl = model("stable_diffusion_xl")
    plain = draw(recorder, xl, prompt_2="a hill", guidance_scale=7.5)
    assert plain.tobytes() != draw(recorder, xl, guidance_scale=7.5).tobytes()
    assert weighted(recorder, xl, "a lake", prompt_2="a hill").tobytes() == plain.tobytes()
    assert weighted(recorder, xl, "a lake", prompt_2="a (hill:1.4)") != plain
    recorder.events.clear()
    for call in (draw, weighted):
        call(recorder, model("stable_diffusion"), prompt="a lake", prompt_2="a hill")
    assert [warning.partition(":")[0] for warning in recorder.warnings] == [
        "prompt_2 is not used"
    ] * 2


def test_a_length_of_sequence_is_passed_on(model: Callable[[str], str], recorder: Recorder) -> None:
    sd3 = model("stable_diffusion_3")
    own, shorter = (draw(recorder, sd3, max_sequence_length=one).tobytes() for one in (0, 16))
    assert own != shorter and own == draw(recorder, sd3).tobytes()
    draw(recorder, model("stable_diffusion"), max_sequence_length=16)
    assert recorder.warnings == [
        "max_sequence_length is not used: StableDiffusionPipeline has no such setting."
    ]


@pytest.mark.parametrize("family", ["stable_diffusion_3", "kandinsky22"])
def test_other_families_refuse_the_syntax_by_name(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(NodeError, match="reads its prompts by no CLIP encoder alone") as caught:
        weighted(recorder, model(family), "a (lake:1.2)")
    assert caught.value.problem.code == "prompt_syntax_unsupported"


def embedding(path: Path, **tensors: torch.Tensor) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return str(path)


def vectors(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ("family", "tensors"),
    [
        ("stable_diffusion", {"emb_params": vectors(2, 32)}),
        ("stable_diffusion", {"<style>": vectors(32)}),
        ("stable_diffusion_xl", {"clip_l": vectors(2, 32), "clip_g": vectors(2, 32)}),
    ],
)
def test_embeddings_stand_for_words(
    family: str,
    tensors: dict[str, torch.Tensor],
    model: Callable[[str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    file = embedding(tmp_path / "style.safetensors", **tensors)
    given = {"embeddings": [EmbeddingModel(repo_id=file)]}
    texts = ("a lake", "a lake, embedding:style", "a lake, (embedding:style:1.5)")
    made = [weighted(recorder, model(family), text, **given).tobytes() for text in texts]
    assert len(set(made)) == 3
    # The shared encoder has not changed.
    assert weighted(recorder, model(family), "a lake").tobytes() == made[0]
    embedding(tmp_path / "models" / "embeddings" / "style.safetensors", **tensors)
    folders = ModelFolders([tmp_path / "models"])
    found = Recorder(ModelManager(device="cpu", folders=folders))
    assert weighted(found, model(family), texts[1]).tobytes() == made[1]


def test_a_word_of_an_embedding_makes_the_image_of_the_word(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    ref = ImageToImageModel(repo_id=repo_id)
    with recorder.context.models.use(ref, "text-to-image", context=recorder.context) as lease:
        pipeline: Any = lease.pipeline
        (token,) = pipeline.tokenizer("a", add_special_tokens=False).input_ids
        vector = pipeline.text_encoder.get_input_embeddings().weight[token].detach().clone()
    file = embedding(tmp_path / "word.safetensors", emb_params=vector[None])
    given = {"embeddings": [EmbeddingModel(repo_id=file)]}
    made = weighted(recorder, repo_id, "embedding:word lake", **given)
    assert made.tobytes() == weighted(recorder, repo_id, "a lake").tobytes()


def test_embeddings_that_are_not_there_or_do_not_fit_are_refused(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo_id = model("stable_diffusion")
    with pytest.raises(ModelError, match=r"missing\.safetensors"):
        weighted(recorder, repo_id, "embedding:missing")
    file = embedding(tmp_path / "wide.safetensors", emb_params=vectors(1, 768))
    with pytest.raises(NodeError, match="have 768 numbers, where the encoder has 32"):
        weighted(recorder, repo_id, "embedding:wide", embeddings=[EmbeddingModel(repo_id=file)])
    with pytest.raises(NodeError, match=r"^prompt: prompt weighs 'lake' by 90"):
        weighted(recorder, repo_id, "(lake:90)")
    draw(recorder, repo_id, embeddings=[EmbeddingModel(repo_id=file)])
    assert recorder.warnings == ["embeddings is not used: prompt_syntax is plain."]


def test_what_changes_while_the_image_is_made_is_noted_as_not_done(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    weighted(recorder, model("stable_diffusion"), "a [lake:hill:0.5]")
    assert any("which is not done; it is read as text" in one for one in recorder.warnings)
