"""
Whole runs over the disk tier, in processes of their own.

What is computed, what is found, and after which end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHAIN = '''
"""A chain of nodes that note when they run; one of them kills the process."""

import os, signal, sys, threading
from pathlib import Path
from PIL import Image
from nodetool_core import Context, Field, ImageRef, Node, Workflow
from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.caching.tiered import TieredCache

folder, length, bound = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cache = TieredCache(MemoryCache(), DiskCache(folder / "results", bound, least_seconds=0))

class Start(Node):
    def process(self) -> ImageRef:
        return ImageData.of(Image.linear_gradient("L"))

class Brighter(Node):
    image: ImageRef = Field(description="Image.")
    number: int = 0

    def process(self, context: Context) -> ImageRef:
        if os.environ["KILL_AT"] == str(self.number):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            threading.Event().wait()
        with (folder / "ran").open("a") as log:
            log.write(f"{self.number} ")
        image = context.image(self.image)
        return ImageData.of(image.point(lambda tone: (tone + self.number) % 256))

node = Start()
for number in range(1, length + 1):
    node = Brighter(image=node.output, number=number)

def kill(*_):
    cache.flush()
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, kill)
    engine = Engine(cache=cache)
    result = Workflow(node, engine=engine).run()
    engine.close()
    cache.close()
    (image,) = result.outputs.values()
    print(image.digest, len(result.hits))
'''


def run(
    folder: Path, length: int, kill_at: int = 0, bound: int = 1 << 30
) -> tuple[int, str, list[int]]:
    """Exit code, what was printed, and the numbers of the nodes that ran."""
    script, log = folder / "chain.py", folder / "ran"
    script.write_text(CHAIN)
    log.write_text("")
    command = [sys.executable, str(script), str(folder), str(length), str(bound)]
    environment = {**os.environ, "KILL_AT": str(kill_at)}
    process = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert process.returncode in (0, -signal.SIGKILL), process.stderr
    return process.returncode, process.stdout, [int(number) for number in log.read_text().split()]


@pytest.mark.parametrize("kill_at", [1, 5, 12])
def test_a_killed_run_computes_only_the_rest(kill_at: int, tmp_path: Path) -> None:
    code, _, ran = run(tmp_path, 12, kill_at)
    assert code == -signal.SIGKILL and ran == list(range(1, kill_at))
    code, printed, ran = run(tmp_path, 12)
    assert code == 0 and ran == list(range(kill_at, 13))
    plain = tmp_path / "plain"
    plain.mkdir()
    assert run(plain, 12)[1].split()[0] == printed.split()[0]


def test_a_second_process_runs_nothing_and_a_longer_chain_only_what_is_new(tmp_path: Path) -> None:
    assert run(tmp_path, 4)[2] == [1, 2, 3, 4]
    assert run(tmp_path, 4)[2] == []
    assert run(tmp_path, 6)[2] == [5, 6]


def damage_all(folder: Path, how: Any) -> None:
    for path in (folder / "results").glob("*/*.result"):
        path.write_bytes(how(path.read_bytes()))


@pytest.mark.parametrize(
    "how", [lambda content: content[:-7], lambda content: b"", lambda content: content[:-1] + b"?"]
)
def test_damaged_entries_are_computed_again(how: Any, tmp_path: Path) -> None:
    _, printed, _ = run(tmp_path, 4)
    damage_all(tmp_path, how)
    code, again, ran = run(tmp_path, 4)
    assert (code, ran) == (0, [1, 2, 3, 4]) and again.split()[0] == printed.split()[0]
    assert run(tmp_path, 4)[2] == []


def test_a_run_succeeds_where_no_result_fits(tmp_path: Path) -> None:
    code, _, ran = run(tmp_path, 3, bound=4096)
    assert (code, ran) == (0, [1, 2, 3]) and not list((tmp_path / "results").glob("*/*.result"))
