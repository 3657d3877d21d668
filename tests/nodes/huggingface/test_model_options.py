"""The node that says how a model is computed sets what is chosen, and nothing else."""

from __future__ import annotations

from typing import get_args

from nodes.huggingface.loaders import ModelOptions
from nodes.huggingface.model_kinds import TextToImageModel
from nodetool_core.references import ModelRef

PLAIN = TextToImageModel(repo_id="owner/model", dtype="float16", vae=ModelRef(repo_id="a/vae"))


def test_what_is_not_chosen_stays_as_it_is() -> None:
    assert ModelOptions(model=PLAIN).process() == PLAIN


def test_what_is_chosen_is_set() -> None:
    made = ModelOptions(
        model=PLAIN,
        dtype="bfloat16",
        variant="fp16",
        quantization="quanto_int4",
        encoder_quantization="torchao_int8",
        step_cache="first_block",
        attention="math",
        compile=True,
    ).process()
    assert made == TextToImageModel(
        repo_id="owner/model",
        dtype="bfloat16",
        variant="fp16",
        quantization="quanto_int4",
        encoder_quantization="torchao_int8",
        step_cache="first_block",
        attention="math",
        compile=True,
        vae=ModelRef(repo_id="a/vae"),
    )


def test_every_choice_of_a_reference_can_be_chosen() -> None:
    for name in ("dtype", "quantization", "encoder_quantization", "step_cache", "attention"):
        kinds = get_args(ModelRef.model_fields[name].annotation)
        values = {value for kind in kinds for value in get_args(kind)}
        chosen = set(get_args(ModelOptions.spec.properties[name].annotation))
        assert values and chosen - {"none", "default"} == values
        for value in values:
            assert getattr(ModelOptions(model=PLAIN, **{name: value}).process(), name) == value
