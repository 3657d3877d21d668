"""The tiny models of the node tests, and a Hub on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.models.hub_server import HubServer
from tests.nodes.huggingface.conftest import adapter, manager, model, one_thread, recorder  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server
