"""
Programs in processes of their own.

They are ended where they hang, with the stacks of their threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]

SECONDS = 60

_BEFORE = """
import faulthandler
faulthandler.dump_traceback_later({seconds}, exit=True)
"""


def run_alone(code: str, *, stdin: str = "", seconds: int = SECONDS, **environment: str) -> str:
    """
    Run a program; returns what it printed.

    Fails the test where it fails, or takes longer than so many seconds.
    """
    known = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-c", _BEFORE.format(seconds=seconds) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=2 * seconds,
        env=known,
        cwd=ROOT,
        input=stdin,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr[-6000:]}"
    return done.stdout
