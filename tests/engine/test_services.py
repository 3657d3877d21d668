"""Services of an engine: what nodes get of them, and what of them counts in keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from nodes.nodetool.output import Output
from nodetool_core import Context, DiskCache, Engine, Node, NodetoolError, RunError, Workflow


class Store(Protocol):
    """Something that nodes look texts up in."""

    def look(self, word: str) -> str: ...


@dataclass
class Shelf:
    """A store that counts."""

    texts: dict[str, str]
    asked: list[str] = field(default_factory=list)

    def look(self, word: str) -> str:
        self.asked.append(word)
        return self.texts[word]


class Mock(Shelf):
    """Stands in for a shelf."""


class Edition(Shelf):
    """A store that says which texts it has."""

    def fingerprint(self) -> str | None:
        return self.texts.get("edition")


class Look(Node):
    """Looks a word up."""

    services = (Store,)
    word: str = "night"

    def process(self, context: Context) -> str:
        return context.service(Store).look(self.word)


class Sneak(Node):
    """Uses a service that it does not declare."""

    def process(self, context: Context) -> str:
        return context.service(Store).look("night")


def looked_up(engine: Engine) -> str:
    result = Workflow(Output(name="text", value=Look().output), engine=engine).run()
    return str(result["text"])


@pytest.fixture
def text_with(tmp_path: Path) -> Callable[[Store], str]:
    """Return what gives the text of an engine with a service, over one cache on disk."""

    def text(store: Store) -> str:
        cache = DiskCache(tmp_path / "results", least_seconds=0)
        with Engine(cache=cache, services={Store: store}) as engine:
            found = looked_up(engine)
        cache.close()
        return found

    return text


def test_a_node_gets_the_service_that_it_declares() -> None:
    shelf = Shelf({"night": "dark"})
    with Engine(services={Store: shelf}) as engine:
        assert [looked_up(engine), looked_up(engine)] == ["dark", "dark"]
    assert shelf.asked == ["night"]


def test_the_results_of_a_mock_are_its_own(text_with: Callable[[Store], str]) -> None:
    real, mock = Shelf({"night": "dark"}), Mock({"night": "mocked"})
    assert [text_with(mock), text_with(real), text_with(real)] == ["mocked", "dark", "dark"]
    assert real.asked == ["night"]


def test_a_service_says_what_of_it_counts(text_with: Callable[[Store], str]) -> None:
    first = Edition({"edition": "1", "night": "dark"})
    same = Edition({"edition": "1", "night": "never asked"})
    second = Edition({"edition": "2", "night": "darker"})
    never = Edition({"night": "anew"})
    found = [text_with(store) for store in (first, same, second, never, never)]
    assert found == ["dark", "dark", "darker", "anew", "anew"]
    assert (same.asked, never.asked) == ([], ["night", "night"])


def test_a_missing_service_is_found_before_anything_runs() -> None:
    shelf = Shelf({})
    with Engine(services={Shelf: shelf}) as engine, pytest.raises(NodetoolError) as caught:
        looked_up(engine)
    assert caught.value.problem.code == "missing_service"
    assert "Look" in caught.value.problem.where and "It has Shelf." in str(caught.value)


def test_a_service_that_is_not_declared_is_refused() -> None:
    shelf = Shelf({"night": "dark"})
    with (
        Engine(services={Store: shelf}) as engine,
        pytest.raises(RunError, match=r"services = \(Store,\)") as caught,
    ):
        Workflow(Output(name="text", value=Sneak().output), engine=engine).run()
    assert caught.value.problem.code == "undeclared_service"
