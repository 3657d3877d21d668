"""
The benchmark of the engine runs and prints its table.

What the figures are depends on the machine and is not tested.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "engine.py"


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_every_figure_is_in_the_table():
    done = benchmark("--quick", "--sizes", "20,100")
    assert done.returncode == 0, done.stderr
    for shape in ("chain", "fan", "layers"):
        assert f"| run, per trivial node: {shape}" in done.stdout
        assert f"| load + validate + plan, per node: {shape}" in done.stdout
        assert f"| {shape}: µs a node" in done.stdout
    for figure in (
        "8 coroutine nodes",
        "8 blocking nodes",
        "GIL-free",
        "handing on an image of 4 MP",
        "chain of 20 images",
        "1,000 inline nodes",
        "import nodetool_core",
    ):
        assert figure in done.stdout
    rows = [line for line in done.stdout.splitlines() if " ≤ " in line]
    assert len(rows) > 20
    assert all("met" in row or "missed by" in row for row in rows)
    assert "| plain loop " in done.stdout
    assert "Hamilton" not in done.stdout


def test_an_unknown_figure_is_named():
    done = benchmark("--only", "speed")
    assert done.returncode == 2
    assert "there is no speed" in done.stderr
