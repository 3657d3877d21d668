"""Weights, sections, embeddings, clip skip and long prompts, in images of tiny pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from nodes.huggingface.image_to_image import EditByInstruction, TiledRefinement
from nodes.huggingface.model_kinds import EmbeddingModel
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, ImageToImageModel, NodeError
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.prompt_encoding import prompt_encoders
from nodetool_core.models.diffusers.prompt_syntax import parse
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.model_folders import ModelFolders
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_conditioning import draw, transform
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

_CFG: dict[str, Any] = {"do_classifier_free_guidance": True}
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


@BOTH
def test_a_prompt_changes_between_steps(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    def made(prompt: str, negative: str = "") -> bytes:
        values: dict[str, Any] = {"prompt_syntax": "weighted", "guidance_scale": 7.5}
        values |= {"num_inference_steps": 4, "negative_prompt": negative}
        return draw(recorder, model(family), prompt=prompt, **values).tobytes()

    lake, hill = made("a lake"), made("a hill")
    for neutral in ("a [lake:lake:0.5]", "a [lake:hill:1.0]", "a [lake:hill:4]"):
        assert made(neutral) == lake, neutral
    assert made("a [lake:hill:0.0]") == hill
    changed = [made(f"a [lake:hill:{when}]") for when in ("1", "0.5")]
    turns, weighted_changes = made("a [lake|hill]"), made("a [(lake:1.4):hill:0.5]")
    assert len({lake, hill, *changed, turns, weighted_changes}) == 6
    assert "prompt changes: 'a lake' from step 1, 'a hill' from step 3." in recorder.warnings
    # The negative prompt changes by itself, where it begins as the prompt as well.
    negatives = [made("a lake", text) for text in ("a lake", "a [lake:hill:0.5]", "a hill")]
    assert len(set(negatives)) == 3
    # A longer text later on: both are of one length.
    assert made(f"a [lake:{'b ' * 100}:0.5]") not in (lake, hill)


@BOTH
def test_a_change_after_the_first_step_counts_as_if_made_by_hand(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    """Two steps in one call are one step, and one more from its latents with the other prompt."""
    ref = ImageToImageModel(repo_id=model(family))
    with recorder.context.models.use(ref, "text-to-image", context=recorder.context) as lease:
        pipeline: Any = lease.pipeline
        values = {"num_inference_steps": 2, "guidance_scale": 7.5, "output_type": "latent"}
        embeddings = [
            pipeline.encode_prompt(text, device="cpu", num_images_per_prompt=1, **_CFG)
            for text in ("a lake", "a hill")
        ]
        names = (
            ["prompt_embeds", "negative_prompt_embeds"]
            if len(embeddings[0]) == 2
            else [
                *("prompt_embeds", "negative_prompt_embeds"),
                *("pooled_prompt_embeds", "negative_pooled_prompt_embeds"),
            ]
        )

        def switch(pipe: Any, step: int, timestep: object, tensors: Any) -> Any:
            parts = dict(zip(names, embeddings[1], strict=True))
            made = {
                **tensors,
                "prompt_embeds": torch.cat(
                    [parts["negative_prompt_embeds"], parts["prompt_embeds"]]
                ),
            }
            if "pooled_prompt_embeds" in parts:
                made["add_text_embeds"] = torch.cat(
                    [parts["negative_pooled_prompt_embeds"], parts["pooled_prompt_embeds"]]
                )
            return made

        by_hand = pipeline(
            **dict(zip(names, embeddings[0], strict=True)),
            **values,
            generator=torch.Generator("cpu").manual_seed(1),
            callback_on_step_end=switch,
        ).images
    node = TextToImage(
        model=model(family),
        prompt="a [lake:hill:1]",
        prompt_syntax="weighted",
        guidance_scale=7.5,
        num_inference_steps=2,
        seed=1,
    )
    latents = node.process(recorder.context).latents
    assert latents is not None
    assert torch.equal(latents.samples, by_hand)


def test_the_steps_that_strength_leaves_are_shared_out(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    values: dict[str, Any] = {"prompt_syntax": "weighted", "num_inference_steps": 8}
    transform(recorder, model(FAMILIES[0]), prompt="[lake:hill:0.5]", strength=0.5, **values)
    assert recorder.warnings == ["prompt changes: 'lake' from step 1, 'hill' from step 3."]


def test_families_whose_steps_have_no_prompts_read_changes_as_text(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    weighted(recorder, model("self_attention_guidance"), "a [lake:hill:0.5]")
    assert any("can't do; it is read as text" in one for one in recorder.warnings)


def test_edits_and_tiles_read_the_syntax(model: Callable[[str], str], recorder: Recorder) -> None:
    values: dict[str, Any] = {"image": ImageData.of(scene(64, 64)), "num_inference_steps": 2}
    values |= {"seed": 1, "prompt_syntax": "weighted"}
    made: dict[type, set[bytes]] = {}
    for kind, family in ((EditByInstruction, "instruct_pix2pix"), (TiledRefinement, FAMILIES[0])):
        for text in ("a lake", "a (lake:1.5)", "a [lake:hill:1]"):
            options = {"scale": 1.0, "strength": 1.0} if kind is TiledRefinement else {}
            node = kind(model=model(family), prompt=text, **values, **options)
            found = node.process(recorder.context)
            image = found if isinstance(found, ImageData) else found.output
            assert isinstance(image, ImageData)
            made.setdefault(kind, set()).add(image.image.tobytes())
    assert [len(images) for images in made.values()] == [3, 3]


@pytest.mark.parametrize("syntax", ["plain", "weighted"])
def test_the_second_encoder_may_have_a_negative_prompt_of_its_own(
    syntax: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    values: dict[str, Any] = {"guidance_scale": 7.5, "negative_prompt": "a tree"}
    made = {
        second: draw(
            recorder,
            model("stable_diffusion_xl"),
            prompt_syntax=syntax,
            negative_prompt_2=second,
            **values,
        ).tobytes()
        for second in ("", "a tree", "a hill")
    }
    assert made[""] == made["a tree"] != made["a hill"]
    assert recorder.warnings == []
    draw(recorder, model("stable_diffusion"), prompt_syntax=syntax, negative_prompt_2="a hill")
    assert recorder.warnings == [
        "negative_prompt_2 is not used: StableDiffusionPipeline has no such setting."
    ]
