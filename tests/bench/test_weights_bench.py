"""
The benchmark of the weights manager, on a part of its suite; the one for a GPU runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import gpu, weights
from tests.nodes.huggingface.conftest import one_thread  # noqa: F401 - fixture

ROOT = Path(__file__).parents[2]


def test_the_policy_loads_no_more_than_its_aim() -> None:
    suite = [
        problem for problem in weights.problems(quick=True) if sum(map(len, problem.runs)) <= 20
    ]
    rows = [weights.measure(problem) for problem in suite]
    assert all(row.ours == row.optimum for row in rows if row.known_ahead and row.is_exact)
    assert sum(row.ours for row in rows) <= 1.15 * sum(row.optimum for row in rows)
    assert all(row.optimum <= row.ours <= row.lru <= row.per_call for row in rows)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_the_program_for_a_gpu_runs_with_tiny_pipelines(tmp_path: Path) -> None:
    families = [
        gpu.Family("small", 64, 2, gpu.tiny("stable_diffusion")),
        gpu.Family("other", 64, 2, gpu.tiny("stable_diffusion_xl")),
    ]
    found = gpu.Bench(tmp_path, families, "cpu").all(1)
    assert found["small"]["warm"]["ours"] > 0
    assert found["swap"]["bytes"] > 100_000


def test_without_a_gpu_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("There is one here.")
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "gpu.py"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "needs CUDA" in done.stderr
