"""
The benchmark of the server runs and prints its table.

What the figures are depends on the machine and is not tested.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
SCRIPT = BENCH / "serving.py"


@pytest.mark.slow
def test_every_figure_is_in_the_table() -> None:
    options = [
        "--seconds",
        "0.5",
        "--steps",
        "1",
        "--rounds",
        "1",
        "--only",
        "nodetool",
        "--requests",
        "40",
    ]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for figure in (
        "bare pipeline in a loop",
        "| nodetool | 1 |",
        "| nodetool | 8 |",
        "| nodetool | 32 |",
        "repeated requests",
        "memory over 40",
        "of that in caches",
        "growth after the first fifth",
    ):
        assert figure in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_v2_v3_memory_of_large_images_is_in_the_table() -> None:
    options = ["--requests", "2", "--at-once", "3", "--megapixels", "0.5"]
    command = [sys.executable, str(BENCH / "serving_memory.py"), *options]
    environment = os.environ | {"PYTHONPATH": str(BENCH.parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    for server in ("as it is started", "freed blocks kept"):
        for moment in ("ready", "after 2, one after another", "after 3 at once"):
            assert f"| {server} | {moment} |" in done.stdout


@pytest.mark.slow
def test_every_dialect_has_its_row() -> None:
    pytest.importorskip("mcp")
    options = ["--seconds", "0.1", "--steps", "1", "--rounds", "1", "--known", "3"]
    done = subprocess.run(
        [sys.executable, str(BENCH / "serving_dialects.py"), *options],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(BENCH.parent)},
    )
    assert done.returncode == 0, done.stderr
    for name in ("nodetool", "openai", "a1111", "huggingface", "replicate", "mcp"):
        assert f"| {name} |" in done.stdout
    assert "first partial image" in done.stdout
