"""
What a server refuses at its door, a worker refuses as well.

Jobs name things while they run, and lists change while jobs wait.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nodes.huggingface.image_to_image import ImageToImage, LoadImageToImageModel
from nodes.nodetool.input import StringInput
from nodetool_core import ImageRef
from nodetool_core.jobs.celery_dispatch import CeleryDispatch, make_app
from nodetool_core.jobs.job import Job, JobOptions, JobRequest, JobSettings, JobState
from nodetool_core.jobs.service import Jobs
from nodetool_core.registry import Registry
from nodetool_core.workflow import WorkflowDocument
from tests.jobs import graphs
from tests.jobs.pack.work import Recall
from tests.jobs.processes import ROOT, Fleet, fleet

pytestmark = pytest.mark.slow

SHIPPED = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"


class Place:
    """A folder with models, a workflow of the operator's, and their common configuration file."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder = folder
        self.listed, self.by_workflow, self.unlisted = (
            self._model(name) for name in ("listed", "by-workflow", "unlisted")
        )
        self.with_code = self._model("with-code", pipeline=self._code())
        self.image = folder / "lake.png"
        Image.new("RGB", (64, 64), "navy").save(self.image)
        (folder / "graphs").mkdir()
        (folder / "graphs" / "operators.json").write_text(
            json.dumps(self.by_value(self.by_workflow).to_json())
        )
        self.config = folder / "serve.toml"
        models = [str(self.listed), str(self.with_code)]
        self.config.write_text(
            f"models = {json.dumps(models)}\ngraphs = {json.dumps(str(folder / 'graphs'))}\nbroker"
            f" = {json.dumps(broker)}\n"
        )

    @property
    def trace(self) -> Path:
        """Where the code beside a model would leave a trace."""
        return self.folder / "it-ran"

    def by_text(self) -> WorkflowDocument:
        """Return a workflow whose model is named by a text that only the run knows."""
        return self._workflow(
            LoadImageToImageModel(repo_id=StringInput(name="model").output).output
        )

    def by_value(self, model: Path) -> WorkflowDocument:
        return self._workflow(str(model))

    def _workflow(self, model: Any) -> WorkflowDocument:
        image = ImageRef(uri=str(self.image))
        return graphs.workflow(
            image=ImageToImage(
                image=image, model=model, strength=1.0, num_inference_steps=1, seed=1
            )
        )

    def _model(self, name: str, pipeline: str = "") -> Path:
        found = shutil.copytree(SHIPPED, self.folder / name)
        if pipeline:
            (found / "pipeline.py").write_text(pipeline)
            index = json.loads((found / "model_index.json").read_text())
            (found / "model_index.json").write_text(
                json.dumps(index | {"_class_name": ["pipeline", "Own"]})
            )
        return found

    def _code(self) -> str:
        return (
            f"open({str(self.trace)!r}, 'w').close()\nfrom diffusers import StableDiffusionPipeline"
            " as Own\n"
        )


@pytest.fixture
def place(tmp_path: Path, redis_url: str) -> Place:
    return Place(tmp_path, redis_url)


@pytest.fixture
def workers(place: Place) -> Iterator[Fleet]:
    with fleet(place.folder, "--config", str(place.config)) as started:
        started.start()
        yield started


@pytest.fixture
def jobs(workers: Fleet, redis_url: str, registry: Registry) -> Iterator[Jobs]:
    """Somebody who accepts everything: what is refused is refused by the worker."""
    dispatch = CeleryDispatch(make_app(redis_url))
    opened = Jobs.open(
        workers.database,
        workers.storage,
        registry=registry,
        settings=JobSettings(workers=0, poll=0.05),
        dispatch=dispatch,
    )
    opened.start()
    yield opened
    opened.drain(0)
    opened.close()


def test_only_listed_models_are_loaded_and_no_code_beside_them_runs(
    place: Place, workers: Fleet, jobs: Jobs
) -> None:
    by_text = JobRequest(place.by_text(), client="text")
    wanted = {
        "listed": replace(by_text, inputs={"model": str(place.listed)}),
        "named by a workflow that is served": JobRequest(
            place.by_value(place.by_workflow), client="value"
        ),
        "unlisted": replace(by_text, inputs={"model": str(place.unlisted)}),
        "no longer listed": JobRequest(place.by_value(place.unlisted), client="value"),
        "out of a listed one": replace(by_text, inputs={"model": f"{place.listed}/../unlisted"}),
        "with code": replace(by_text, inputs={"model": str(place.with_code)}),
    }
    accepted = {name: jobs.submit(request).id for name, request in wanted.items()}
    ended = {name: jobs.wait(job_id, 120) for name, job_id in accepted.items()}
    told = {
        name: job.problems[0].code if job.problems else job.state.value
        for name, job in ended.items()
    }
    assert told == {
        "listed": "done",
        "named by a workflow that is served": "done",
        "unlisted": "model_unlisted",
        "no longer listed": "model_unlisted",
        "out of a listed one": "model_unlisted",
        "with code": "model_custom_code",
    }, workers.said()
    refused = ended["unlisted"].problems[0]
    assert str(place.unlisted) in refused.message and "`models`" in refused.hint
    assert set(jobs.workers.holders()) == {str(place.listed), str(place.by_workflow)}
    assert not place.trace.exists()


def test_the_workflow_of_a_stranger_reads_no_file(place: Place, workers: Fleet, jobs: Jobs) -> None:
    def ended(document: WorkflowDocument, *, confined: bool, **inputs: str) -> Job:
        accepted = jobs.submit(JobRequest(document, inputs, options=JobOptions(confined=confined)))
        return jobs.wait(accepted.id, 60)

    document = graphs.workflow(image=Recall(source=StringInput(name="source").output))
    for source in (str(place.image), place.image.as_uri(), place.image.name):
        refused = ended(document, confined=True, source=source)
        assert refused.state is JobState.FAILED
        assert [problem.code for problem in refused.problems] == ["forbidden_path"], workers.said()
    allowed = ended(document, confined=False, source=str(place.image))
    assert allowed.state is JobState.DONE, allowed.problems
    upload = jobs.put(place.image.read_bytes())
    assert ended(document, confined=True, source=f"asset:{upload.digest}").state is JobState.DONE
