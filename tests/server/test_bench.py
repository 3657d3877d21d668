"""The benchmark of the server runs and prints its table; what the figures are depends on the machine and is not tested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "serving.py"


@pytest.mark.slow
def test_every_figure_is_in_the_table() -> None:
    options = ["--seconds", "0.5", "--steps", "1", "--rounds", "1", "--only", "nodetool", "--requests", "40"]
    done = subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, timeout=400, check=False)
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
