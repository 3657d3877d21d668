"""
Decoders whose cards name a prior.

Found like any model, read as components, and never fetched behind our back.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from diffusers.pipelines import auto_pipeline

from nodes.huggingface.model_kinds import TextToImageModel
from nodes.huggingface.text_to_image import TextToImage
from nodes.nodetool.output import Output
from nodetool_core import Context, ModelRef, RunCancelled, Workflow
from nodetool_core.context import Reporter
from nodetool_core.engine.engine import Engine
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.diffusers.modules import modules_of
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.planning.lookahead import PlannedUse
from nodetool_core.models.residency.transfer import module_bytes
from nodetool_core.models.sources import priors, resolver
from nodetool_core.models.sources.allowlist import ModelAllowlist
from nodetool_core.models.sources.hub import Hub
from tests.models.components.test_recipes import as_in_the_cache
from tests.models.hub_server import COMMIT
from tests.nodes.huggingface.recorder import Recorder
from tests.server.live import LiveServer

if TYPE_CHECKING:
    from tests.models.hub_server import HubServer

TASK = "text-to-image"
FAMILIES = {
    "kandinsky": (64, 64),
    "kandinsky22": (64, 64),
    "stable_cascade": (256, 256),
    "wuerstchen": (256, 256),
}
"""Tiny models of two halves, and the size of an image."""

LATER = "89abcdef" * 5
"""A commit after the one that the Hub of the tests has."""


@pytest.fixture(scope="module")
def halves(
    model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, Path]]:
    """
    Return the decoder and the prior of a family, each in a directory of its own.

    They are published like that.
    """
    made: dict[str, tuple[Path, Path]] = {}

    def saved(family: str) -> tuple[Path, Path]:
        if family not in made:
            root = tmp_path_factory.mktemp(family)
            whole = DiffusionPipeline.from_pretrained(model(family))
            whole.decoder_pipe.save_pretrained(root / "decoder")
            whole.prior_pipe.save_pretrained(root / "prior")
            made[family] = (root / "decoder", root / "prior")
        return made[family]

    return saved


@pytest.fixture
def pair(
    halves: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> Callable[[str], tuple[Path, Path]]:
    """Return copies of both, of which the decoder's card names the prior."""

    def copied(family: str = "kandinsky22") -> tuple[Path, Path]:
        decoder, prior = (shutil.copytree(half, tmp_path / half.name) for half in halves(family))
        write_card(decoder, prior)
        return decoder, prior

    return copied


@pytest.fixture
def hub(halves: Callable[[str], tuple[Path, Path]], hub_server: HubServer, tmp_path: Path) -> Hub:
    """Return a Hub that has both."""
    for name, half in zip(("decoder", "prior"), halves("kandinsky22"), strict=True):
        files = {
            path.relative_to(half).as_posix(): path.read_bytes()
            for path in half.rglob("*")
            if path.is_file()
        }
        hub_server.repositories[f"owner/{name}"] = files
    hub_server.repositories["owner/decoder"]["README.md"] = (
        b"---\nprior:\n- owner/prior\ntags: [text-to-image]\n---\nA decoder."
    )
    return Hub(tmp_path / "cache", hub_server.endpoint)


@pytest.fixture
def models() -> ModelManager:
    return ModelManager(device="cpu")


ON_HUB = ModelRef(repo_id="owner/decoder")


def write_card(decoder: Path, prior: Path | str) -> None:
    (decoder / "README.md").write_text(f"---\nprior:\n- {prior}\n---\nA decoder.\n")


def ref(directory: Path) -> ModelRef:
    return ModelRef(repo_id=str(directory))


def use(models: ModelManager, asked: ModelRef, task: str = TASK) -> str:
    with models.use(asked, task, context=Recorder(models).context) as lease:
        pipeline = lease.pipeline
        return type(pipeline).__name__


def refused(models: ModelManager, asked: ModelRef) -> Problem:
    with pytest.raises(ModelError) as caught:
        use(models, asked)
    assert models.loaded() == []
    return caught.value.problem


def painted(pipeline: Any, family: str) -> np.ndarray[Any, Any]:
    width, height = FAMILIES[family]
    steps = {"num_inference_steps": 2, "prior_num_inference_steps": 2}
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        made = pipeline(
            prompt="a lake",
            width=width,
            height=height,
            generator=generator,
            output_type="np",
            **steps,
        )
    return np.asarray(made.images)


def change_weights(directory: Path) -> None:
    """Change every number of the prior's network."""
    from safetensors.torch import load_file, save_file

    file = directory / "prior" / "diffusion_pytorch_model.safetensors"
    save_file(
        {name: tensor + 0.5 for name, tensor in load_file(file).items()},
        file,
        metadata={"format": "pt"},
    )


def test_the_decoders_are_those_of_diffusers() -> None:
    tables = [
        getattr(auto_pipeline, f"_AUTO_{task}_DECODER_PIPELINES_MAPPING")
        for task in ("TEXT2IMAGE", "IMAGE2IMAGE", "INPAINT")
    ]
    assert {found.__name__ for table in tables for found in table.values()} == priors.DECODERS


@pytest.mark.parametrize("family", FAMILIES)
def test_it_paints_what_diffusers_paints(
    family: str, pair: Callable[[str], tuple[Path, Path]], models: ModelManager
) -> None:
    decoder, _ = pair(family)
    # Mapped weights lie elsewhere in memory, and sums come out in another order.
    connected = DiffusionPipeline.from_pretrained(
        decoder, load_connected_pipeline=True, use_safetensors=True, disable_mmap=True
    )
    context = Recorder(models).context
    for _ in range(2):
        with models.use(ref(decoder), TASK, context=context) as lease:
            pipeline = lease.pipeline
            assert type(pipeline) is type(connected)
            assert np.array_equal(painted(pipeline, family), painted(connected, family))
        assert models.free() > 0
        assert models.runtime.store.components() == []


def test_the_parts_of_a_prior_are_components(
    pair: Callable[..., tuple[Path, Path]], models: ModelManager
) -> None:
    decoder, prior = pair()
    with models.use(ref(decoder), TASK, context=Recorder(models).context) as lease:
        pipeline = lease.pipeline
        modules = modules_of(pipeline)
        assert {
            "prior_prior",
            "prior_image_encoder",
            "prior_text_encoder",
            "unet",
            "movq",
        } == modules.keys()
        (loaded,) = models.loaded()
        assert loaded.bytes == sum(module_bytes(module) for module in modules.values())
        assert models.counts.reads == len(modules)
        model = next(iter(models.table.models()))
        assert 0.98 < sum(model.recipe.estimates.values()) / loaded.bytes <= 1, (
            "budgets know of it before it is read"
        )
        assert models.table.keys_of(ref(decoder)) == model.keys, "and so does whoever plans ahead"
        with models.use(
            ref(prior), "network:prior", context=Recorder(models).context
        ) as part_lease:
            part = part_lease.part
            assert part.model is modules["prior_prior"]
        with models.use(
            ref(decoder), "network:movq", context=Recorder(models).context
        ) as part_lease:
            part = part_lease.part
            assert part.model is modules["movq"]
    assert models.is_loaded(ref(decoder))
    assert use(models, ref(decoder), "image-to-image") == "KandinskyV22Img2ImgCombinedPipeline"
    assert models.counts.reads == len(modules)


def test_a_prior_takes_its_part_of_the_budget(
    pair: Callable[..., tuple[Path, Path]], models: ModelManager
) -> None:
    decoder, _ = pair()
    with models.use(ref(decoder), TASK, context=Recorder(models).context) as lease:
        pipeline = lease.pipeline
        expected = painted(pipeline, "kandinsky22")
    small = ModelManager(device="cpu", budget=0, host_budget=0)
    with small.use(ref(decoder), TASK, context=Recorder(small).context) as lease:
        pipeline = lease.pipeline
        assert np.array_equal(painted(pipeline, "kandinsky22"), expected)
    assert small.runtime.store.components() == []


def test_two_decoders_share_one_prior(
    pair: Callable[..., tuple[Path, Path]], models: ModelManager, tmp_path: Path
) -> None:
    decoder, prior = pair()
    other = shutil.copytree(decoder, tmp_path / "other")
    use(models, ref(decoder))
    reads = models.counts.reads
    use(models, ref(other))
    assert models.counts.reads == reads + 2, "its own unet and movq"
    assert len(models.loaded()) == 2
    assert prior.exists()


def test_equal_files_of_both_halves_are_one_component(
    pair: Callable[..., tuple[Path, Path]], models: ModelManager, tmp_path: Path
) -> None:
    """As Stable Cascade is published: the text encoder is in both repositories."""
    decoder, prior = pair("stable_cascade")
    shutil.rmtree(decoder / "text_encoder")
    shutil.copytree(prior / "text_encoder", decoder / "text_encoder")
    cached = [Path(as_in_the_cache(str(half), tmp_path / "cache")) for half in (decoder, prior)]
    write_card(cached[0], cached[1])
    with models.use(ref(cached[0]), TASK, context=Recorder(models).context) as lease:
        pipeline = lease.pipeline
        assert pipeline.text_encoder is pipeline.prior_text_encoder
        assert models.counts.reads == len(modules_of(pipeline)) - 1
        assert np.isfinite(painted(pipeline, "stable_cascade")).all()


def test_a_whole_model_follows_no_card(
    model: Callable[[str], str], models: ModelManager, tmp_path: Path
) -> None:
    """diffusers would load what the card names, although the directory has all."""
    plain, named = (
        shutil.copytree(model("kandinsky22"), tmp_path / name) for name in ("plain", "named")
    )
    write_card(named, "/no/such/prior")
    images = []
    for directory in (plain, named):
        with models.use(ref(directory), TASK, context=Recorder(models).context) as lease:
            pipeline = lease.pipeline
            images.append(painted(pipeline, "kandinsky22"))
    assert np.array_equal(*images)


def test_what_a_prior_made_of_a_text_is_kept(
    pair: Callable[..., tuple[Path, Path]], models: ModelManager
) -> None:
    decoder, _ = pair()
    with models.use(ref(decoder), TASK, context=Recorder(models).context) as lease:
        pipeline = lease.pipeline
        first = painted(pipeline, "kandinsky22")
        encoded = models.encoder_cache.misses
        assert np.array_equal(painted(pipeline, "kandinsky22"), first)
    assert models.encoder_cache.misses == encoded > 0, "the prompt is not encoded again"


@pytest.mark.parametrize(
    "card", [None, "A decoder.", "---\ntags: [a]\n---\n", "---\nprior: []\n---\n", "---\n---\n"]
)
def test_a_decoder_whose_card_names_none_is_alone(
    card: str | None,
    halves: Callable[[str], tuple[Path, Path]],
    models: ModelManager,
    tmp_path: Path,
) -> None:
    decoder = shutil.copytree(halves("kandinsky22")[0], tmp_path / "decoder")
    if card is not None:
        (decoder / "README.md").write_text(card)
    assert models.resolver.resolve(ref(decoder), Recorder(models).context).prior is None
    with pytest.raises(ModelError) as caught:
        use(models, ref(decoder))
    assert caught.value.problem.code == "model_task_unsupported"


@pytest.mark.parametrize(
    ("card", "code", "says"),
    [
        ("---\nprior: {there}\n---\n", "", ""),
        ("---\nprior: /no/such/prior\n---\n", "model_path_missing", "/no/such/prior"),
        ("---\nprior:\n- 5\n---\n", "model_incomplete", "no name of a model"),
        ("---\nprior: [\n---\n", "model_incomplete", "can't be read"),
        ("---\n- prior\n---\n", "model_incomplete", "can't be read"),
        ("---\nprior: {decoder}\n---\n", "model_unfit", "no prior for KandinskyV22Pipeline"),
        (
            "---\nprior: {there}/prior/diffusion_pytorch_model.safetensors\n---\n",
            "model_not_diffusers",
            "single file",
        ),
        ("---\nprior: {there}/prior\n---\n", "model_not_diffusers", "model_index.json"),
        ("---\nprior: o/w/ner\n---\n", "model_id_malformed", "o/w/ner"),
    ],
)
def test_what_a_card_may_say(
    card: str, code: str, says: str, pair: Callable[..., tuple[Path, Path]], models: ModelManager
) -> None:
    decoder, prior = pair()
    (decoder / "README.md").write_text(card.format(there=prior, decoder=decoder))
    if not code:
        assert use(models, ref(decoder)) == "KandinskyV22CombinedPipeline"
        return
    problem = refused(models, ref(decoder))
    assert (problem.code, says in str(problem), str(decoder) in str(problem)) == (
        code,
        True,
        True,
    ), problem
    assert problem.hint


def test_a_pickled_prior_is_refused(
    pair: Callable[..., tuple[Path, Path]], models: ModelManager
) -> None:
    decoder, prior = pair()
    weights = prior / "prior" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    problem = refused(models, ref(decoder))
    assert problem.code == "model_pickled"
    assert str(decoder) in problem.where and str(prior) in problem.where


def test_a_card_is_read_once(
    pair: Callable[..., tuple[Path, Path]], models: ModelManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(directory: Path, name: str) -> str | None:
        read.append(directory)
        return priors.named_prior(directory, name)

    monkeypatch.setattr(resolver, "named_prior", counted)
    decoder, prior = pair()
    for _ in range(3):
        assert models.resolver.resolve(ref(decoder), Recorder(models).context).prior
        assert models.revision(ref(decoder))
    assert read == [decoder]
    (decoder / "README.md").write_text("A decoder alone.")
    assert models.resolver.resolve(ref(decoder), Recorder(models).context).prior is None
    assert read == [decoder, decoder]
    assert prior.exists()


def test_another_prior_is_another_result(pair: Callable[..., tuple[Path, Path]]) -> None:
    decoder, prior = pair()
    models = ModelManager(device="cpu")
    values: dict[str, Any] = {
        "num_inference_steps": 1,
        "width": 64,
        "height": 64,
        "seed": 1,
        "prompt": "a lake",
    }
    with Engine(models=models) as engine:
        node = TextToImage(model=TextToImageModel(repo_id=str(decoder)), **values)
        made = Workflow(Output(name="image", value=node.output), engine=engine)
        first = made.run()
        assert first.models[str(decoder)] == models.revision(ref(decoder))
        assert "text_to_image" in made.run().hits
        change_weights(prior)
        second = made.run()
        assert "text_to_image" in second.ran
        assert second.models[str(decoder)] != first.models[str(decoder)]
        assert second["image"].digest != first["image"].digest


# -- on the Hub ------------------------------------------------------------------------------------


def test_a_prior_is_fetched_like_any_model(hub: Hub, hub_server: HubServer) -> None:
    models = ModelManager(device="cpu", hub=hub)
    assert models.revision(ON_HUB) is None
    assert models.table.keys_of(ON_HUB) == {ON_HUB}
    hub_server.commits["owner/prior"] = LATER
    hub_server.repositories["owner/prior"]["prior/diffusion_pytorch_model.bin"] = b"pickled"
    recorder = Recorder(models)
    with models.use(ON_HUB, TASK, context=recorder.context) as lease:
        pipeline = lease.pipeline
        assert type(pipeline).__name__ == "KandinskyV22CombinedPipeline"
    assert models.revision(ON_HUB) == f"{COMMIT}+{LATER}" == models.loaded()[0].revision
    assert "prior/diffusion_pytorch_model.safetensors" in hub_server.fetched
    assert not [name for name in hub_server.fetched if name.endswith(".bin")]
    said = [details["message"] for kind, details in recorder.events if kind == "progress"]
    assert "Fetching owner/decoder" in said and "Fetching owner/prior" in said


def test_the_commit_of_a_prior_is_kept(hub: Hub, hub_server: HubServer) -> None:
    models = ModelManager(device="cpu", hub=hub)
    use(models, ON_HUB)
    hub_server.commits["owner/prior"] = LATER
    use(models, ON_HUB)
    assert (models.revision(ON_HUB), models.loads) == (f"{COMMIT}+{COMMIT}", 1)
    later = ModelManager(device="cpu", hub=hub)
    assert later.revision(ON_HUB) == f"{COMMIT}+{COMMIT}", "that is what is here"
    use(later, ON_HUB)
    assert later.revision(ON_HUB) == f"{COMMIT}+{LATER}"


def test_without_a_network_the_cache_answers_for_both(
    hub: Hub, hub_server: HubServer, tmp_path: Path
) -> None:
    use(ModelManager(device="cpu", hub=hub), ON_HUB)
    hub_server.stop()
    models = ModelManager(device="cpu", hub=hub)
    assert models.revision(ON_HUB) == f"{COMMIT}+{COMMIT}"
    assert use(models, ON_HUB) == "KandinskyV22CombinedPipeline"
    shutil.rmtree(tmp_path / "cache" / "models--owner--prior")
    without = ModelManager(device="cpu", hub=hub)
    assert without.revision(ON_HUB) == COMMIT, "the decoder's alone"
    problem = refused(without, ON_HUB)
    assert (problem.code, problem.where) == ("model_offline", "owner/decoder")
    assert "needs the prior 'owner/prior', which its card names" in problem.message


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((403, "GatedRepo"), "model_gated"),
        ((404, "RepoNotFound"), "model_not_found"),
        ((500, ""), "hub_unavailable"),
    ],
)
def test_a_prior_that_is_refused(
    answer: tuple[int, str], code: str, hub: Hub, hub_server: HubServer
) -> None:
    hub_server.refusals["owner/prior"] = answer
    problem = refused(ModelManager(device="cpu", hub=hub), ON_HUB)
    assert (problem.code, problem.where) == (code, "owner/decoder")
    assert "'owner/prior'" in problem.message and problem.hint


def test_cancel_ends_the_fetching_of_a_prior(hub: Hub) -> None:
    models = ModelManager(device="cpu", hub=hub)
    stopped, recorder = threading.Event(), Recorder(models)

    class Stopping(Reporter):
        def progress(self, step: int, total: int, message: str) -> None:
            if message == "Fetching owner/prior":
                stopped.set()

    context = Context(
        "node", reporter=Stopping(), cancelled=stopped, images=recorder, models=models
    )
    with pytest.raises(RunCancelled), models.use(ON_HUB, TASK, context=context):
        raise AssertionError("It was loaded.")
    assert stopped.is_set()
    use(models, ON_HUB)


# -- where models are listed -----------------------------------------------------------------------


def test_a_prior_that_is_not_listed_is_not_asked_for(hub: Hub, hub_server: HubServer) -> None:
    models = ModelManager(device="cpu", hub=hub, allowlist=ModelAllowlist(["owner/decoder"]))
    problem = refused(models, ON_HUB)
    assert (problem.code, problem.where) == ("model_unlisted", "owner/decoder")
    assert (
        "'owner/prior', which its card names" in problem.message
        and "as well as the decoder" in problem.hint
    )
    assert models.revision(ON_HUB) == COMMIT
    assert not models.is_loaded(ON_HUB)
    with models.use(ON_HUB, "network:movq", context=Recorder(models).context) as lease:
        part = lease.part
        assert type(part.model).__name__ == "VQModel", "a part of the decoder needs no prior"
    forecast = models.forecast()
    forecast.update({0: PlannedUse((ON_HUB,))})
    assert forecast.planned[0][0] == frozenset({ON_HUB})
    forecast.close()
    assert not [name for name in hub_server.fetched if name.startswith("prior/")]
    both = ModelManager(
        device="cpu", hub=hub, allowlist=ModelAllowlist(["owner/decoder", "owner/prior"])
    )
    assert use(both, ON_HUB) == "KandinskyV22CombinedPipeline"


@pytest.mark.parametrize("named", ["../prior", "{prior}", "./prior", "{decoder}/../prior"])
def test_a_card_names_no_place_that_is_not_listed(
    named: str, pair: Callable[..., tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, prior = pair()
    monkeypatch.chdir(prior.parent)
    write_card(decoder, named.format(prior=prior, decoder=decoder))
    assert (
        refused(
            ModelManager(device="cpu", allowlist=ModelAllowlist([str(decoder)])), ref(decoder)
        ).code
        == "model_unlisted"
    )


def test_a_server_refuses_a_decoder_until_its_prior_is_listed(
    pair: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    decoder, prior = pair()
    values: dict[str, Any] = {"num_inference_steps": 1, "width": 64, "height": 64, "seed": 1}
    node = TextToImage(model=TextToImageModel(repo_id=str(decoder)), prompt="a lake", **values)
    workflow = Workflow(Output(name="image", value=node.output))
    for models, status in (((), 422), ((str(prior),), 200)):
        with (
            LiveServer(tmp_path / str(status), {"draw": workflow}, models=models) as live,
            live.client() as client,
        ):
            answer = client.post("/v1/workflows/draw/runs", json={"inputs": {}})
            assert answer.status_code == status, answer.text
            if status == 422:
                (problem,) = answer.json()["problems"]
                assert (
                    problem["code"] == "model_unlisted"
                    and "which its card names" in problem["message"]
                )
            else:
                assert client.post("/v1/free").json()["freed_bytes"] > 0
    assert (
        json.loads((decoder / "model_index.json").read_text())["_class_name"]
        == "KandinskyV22Pipeline"
    )
