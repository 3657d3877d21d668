"""Contents of files that are damaged anywhere, and what becomes of their import."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from nodetool_core import WorkflowError
from nodetool_core.importing.draft import Grade, Imported
from nodetool_core.importing.report import report
from nodetool_core.validation import build_graph
from tests.nodes.importers.conftest import REGISTRY

OTHERS: list[Any] = [
    *(None, True, -1, 2**70, 1e308, float("nan"), "", "..", "../../etc/passwd", "\x00", "ü" * 300),
    *([], {}, [[]], ["1", 0], {"0": 1}, [None], "%seed%", "{{ x }}", [1, 2, 3]),
]


def damaged(content: Any, draws: random.Random) -> Any:
    """Return a copy in which some values, anywhere, are others, gone, or moved."""
    content = copy.deepcopy(content)
    for _ in range(draws.randint(1, 4)):
        place = content
        for _ in range(draws.randint(1, 7)):
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draws.choice(keys)
            if not isinstance(place[key], (dict, list)) or draws.random() < 0.2:
                _damage(place, key, draws)
                break
            place = place[key]
    return content


def _damage(place: Any, key: Any, draws: random.Random) -> None:
    way = draws.randint(0, 3)
    if way == 0:
        del place[key]
    elif way == 1 and isinstance(place, list):
        place.insert(0, place[key])
    else:
        place[key] = copy.deepcopy(draws.choice(OTHERS))


def grade_of(read: Callable[[], Imported]) -> str:
    """Return the grade of an import, or `refused` where an error says what is wrong."""
    try:
        result = read()
    except WorkflowError as error:
        assert error.problems and all(str(problem) for problem in error.problems)
        return "refused"
    json.dumps(result.document.to_json())
    assert all(entry.node for entry in report(result))
    if result.grade is not Grade.LOSSES:
        build_graph(result.document, REGISTRY)
    return str(result.grade)
