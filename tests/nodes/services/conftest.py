"""Hosted services on loopback, and a machine that has no keys but those that a test gives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import set_client_factory
from huggingface_hub.utils import _http
from PIL import Image

from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, NodeProgress
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.result import RunError
from nodetool_core.engine.run import Run
from nodetool_core.errors import Problem
from tests.nodes.services.fakes import Services

KEYS = [
    "HF_TOKEN",
    "FAL_KEY",
    "REPLICATE_API_TOKEN",
    "TOGETHER_API_KEY",
    "WAVESPEED_API_KEY",
    "QOLABA_API_KEY",
    "QOLABA_BASE_URL",
]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [
        *KEYS,
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NODETOOL_SETTINGS", str(tmp_path / "settings.env"))


@pytest.fixture
def services() -> Iterator[Services]:
    """
    Loopback services; what huggingface_hub sends is led to them by a client factory of its own.
    """
    with Services() as running:
        set_client_factory(
            lambda: httpx2.Client(
                transport=running.transport(), follow_redirects=True, timeout=None
            )
        )
        yield running
        set_client_factory(_http.default_client_factory)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as made:
        yield made


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    Image.effect_noise((40, 30), 60).convert("RGB").save(path)
    return str(path)


class Runs:
    """Runs one node on a real engine, and keeps what it told."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: list[Event] = []
        self.result: Any = None

    def start(self, node: Node, output: str = "output", **options: Any) -> Run:
        self.events = []
        workflow = Workflow(Output(name="result", value=node[output]), engine=self.engine)
        return workflow.start(options=RunOptions(**options), on_event=self.events.append)

    def __call__(self, node: Node, output: str = "output", **options: Any) -> Any:
        """Return the value of the output. Raises RunError."""
        self.result = self.start(node, output, **options).result(30)
        return self.result["result"]

    def problem(self, node: Node) -> Problem:
        """Return what goes wrong."""
        with pytest.raises(RunError) as caught:
            self(node)
        [failure] = caught.value.failures
        assert failure.exception is None or failure.exception.__cause__ is not None, (
            "a user's error shows no traceback of its own"
        )
        return failure.problem

    def told(self) -> list[str]:
        """Return the messages of progress, one after the other, without repetitions."""
        return list(
            dict.fromkeys(event.message for event in self.events if isinstance(event, NodeProgress))
        )

    def warnings(self) -> list[str]:
        return [warning.message for warning in self.result.warnings]


@pytest.fixture
def run(engine: Engine) -> Runs:
    return Runs(engine)
