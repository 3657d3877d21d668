"""M15: the address of a page is taken for the model that it shows, or refused with what to do."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nodetool_core import ImageToImageModel, ModelRef
from nodetool_core.errors import ModelError
from nodetool_core.hub_addresses import read_page
from nodetool_core.models.sources.resolver import Resolver


@pytest.mark.parametrize(
    ("address", "repo_id", "path", "revision"),
    [
        ("https://huggingface.co/owner/name", "owner/name", None, None),
        ("https://huggingface.co/owner/name/", "owner/name", None, None),
        ("huggingface.co/owner/name?library=diffusers", "owner/name", None, None),
        ("https://hf.co/owner/name#files", "owner/name", None, None),
        ("https://huggingface.co/owner/name/tree/main", "owner/name", None, None),
        ("https://huggingface.co/owner/name/tree/fp16", "owner/name", None, "fp16"),
        (
            "https://huggingface.co/owner/name/blob/main/model.safetensors",
            "owner/name",
            "model.safetensors",
            None,
        ),
        (
            "https://huggingface.co/owner/name/resolve/main/a/b%20c.safetensors?download=true",
            "owner/name",
            "a/b c.safetensors",
            None,
        ),
        (
            "https://huggingface.co/owner/name/blob/refs%2Fpr%2F1/m.sft",
            "owner/name",
            "m.sft",
            "refs/pr/1",
        ),
        ("https://huggingface.co/owner/name/blob/main/README.md", "owner/name", None, None),
        ("https://huggingface.co/owner/name/blob/v2/model_index.json", "owner/name", None, "v2"),
        (
            "https://huggingface.co/gpt2/blob/main/model.safetensors",
            "gpt2",
            "model.safetensors",
            None,
        ),
    ],
)
def test_m15_pages_of_models(
    address: str, repo_id: str, path: str | None, revision: str | None
) -> None:
    for ref in (ModelRef.model_validate(address), ImageToImageModel(repo_id=address)):
        assert (ref.repo_id, ref.path, ref.revision) == (repo_id, path, revision)


def test_m15_what_is_said_besides_the_address_counts() -> None:
    ref = ModelRef(
        repo_id="https://huggingface.co/owner/name/blob/main/a.safetensors",
        path="b.safetensors",
        variant="fp16",
        revision="v1",
    )
    assert (ref.repo_id, ref.path, ref.variant, ref.revision) == (
        "owner/name",
        "b.safetensors",
        "fp16",
        "v1",
    )


@pytest.mark.parametrize(
    "name",
    ["owner/name", "./huggingface.co/owner/name", "", "models/huggingface.safetensors", "C:\\x"],
)
def test_m15_other_names_stay_as_they_are(name: str) -> None:
    assert read_page(name) is None and ModelRef(repo_id=name).repo_id == name


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://huggingface.co/datasets/owner/name", "a dataset"),
        ("https://huggingface.co/spaces/owner/name", "a space"),
        ("https://huggingface.co/owner/name/tree/main/unet", "a folder of owner/name"),
    ],
)
def test_m15_pages_of_something_else(address: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelRef(repo_id=address)


@pytest.mark.parametrize(
    "address",
    ["https://civitai.com/models/4384?modelVersionId=128713", "http://example.com/m.safetensors"],
)
def test_m15_pages_of_others_say_what_to_do(address: str) -> None:
    with pytest.raises(ModelError) as caught:
        Resolver().local(ModelRef(repo_id=address))
    assert (
        caught.value.problem.code == "model_id_malformed"
        and "download the .safetensors" in caught.value.problem.hint
    )
