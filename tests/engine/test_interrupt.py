"""E20: Ctrl-C while a node notices nothing is answered at once, and a second one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import faulthandler, threading
faulthandler.dump_traceback_later(60, exit=True)
from nodetool_core import Lane, Node, Workflow

class Deaf(Node):
    '''Notices nothing.'''
    lane = Lane.NETWORK
    def process(self) -> int:
        print("begun", flush=True)
        threading.Event().wait(300)
        return 1

Workflow(Deaf()).run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_second_ctrl_c_ends_a_program_whose_node_is_deaf() -> None:
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    ) as program:
        assert program.stdout is not None and program.stderr is not None
        assert program.stdout.readline() == "begun\n"
        program.send_signal(signal.SIGINT)
        assert "Ctrl-C again leaves at once" in program.stderr.readline()
        program.send_signal(signal.SIGINT)
        rest = program.stderr.read()
        program.wait(60)
    assert "KeyboardInterrupt" in rest and "Timeout (" not in rest
