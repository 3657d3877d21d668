"""How many bytes weights will take, before they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nodetool_core.models.components.encoder_cache import _hash
from nodetool_core.models.components.estimates import tensor_bytes


def test_numbers_count_in_the_width_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(
        {"real": torch.zeros(3, 5), "whole": torch.zeros(7, dtype=torch.int64)},
        path,
        {"made": "by a test"},
    )
    assert [tensor_bytes(path, width) for width in (2, 4)] == [15 * 2 + 7 * 8, 15 * 4 + 7 * 8]


@pytest.mark.parametrize(
    "header",
    [
        None,
        [],
        {"a": 1},
        {"a": {}},
        {"a": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]}},
        {"a": {"data_offsets": [0]}},
    ],
)
def test_a_header_that_is_none_leaves_the_complaint_to_whoever_reads_the_file(
    header: Any, tmp_path: Path
) -> None:
    content = b"no json" if header is None else json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(content).to_bytes(8, "little") + content)
    assert tensor_bytes(path, 4) == path.stat().st_size


def test_a_single_number_can_be_told_from_others() -> None:
    keys = [_hash(torch.tensor(value)) for value in (1.0, 2.0, [1.0])]
    assert None not in keys and len(set(keys)) == 3
    assert _hash(torch.tensor(1.0)) == keys[0]
