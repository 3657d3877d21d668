"""Build and serve `bench/xyflow`: the graphs of `bench/editor.py` in @xyflow/react."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent / "xyflow"
_COMMANDS: Final = (("ci", "--no-audit", "--no-fund"), ("run", "build"))


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def served() -> Iterator[tuple[str, Path]]:
    """
    Yield the address of the page on loopback, and the folder that it is served from.

    Its packages are installed there, which is removed again.

    Raises OSError with a sentence where npm or the packages are not at hand.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("there is no npm on PATH")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copytree(
            SOURCES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules")
        )
        for command in _COMMANDS:
            done = subprocess.run(
                [npm, *command], cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode:
                said = done.stderr.strip().splitlines() or ["it says nothing"]
                raise OSError(f"npm {command[0]} fails: {said[-1]}")
        handler = functools.partial(_Files, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/index.html", folder
            finally:
                server.shutdown()
                thread.join()
