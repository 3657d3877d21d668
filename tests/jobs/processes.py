"""Worker processes that tests start and kill."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def announce_pack(folder: Path) -> None:
    """Make the tests' pack one that is installed, for processes with this folder on their path."""
    found = folder / "nodetool_test_pack-1.0.dist-info"
    found.mkdir(parents=True, exist_ok=True)
    (found / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nodetool-test-pack\nVersion: 1.0\n"
    )
    (found / "entry_points.txt").write_text("[nodetool.packs]\ntesting = tests.jobs.pack:pack\n")


class Fleet:
    """Processes of `nodetool worker` over one database, storage and result cache in a folder."""

    def __init__(
        self, folder: Path, *options: str, database: str | None = None, storage: str | None = None
    ) -> None:
        self.folder = folder
        self.database = database or f"sqlite:///{folder / 'jobs.sqlite'}"
        self.storage = storage or str(folder / "files")
        self._options = options
        self._processes: list[subprocess.Popen[bytes]] = []
        announce_pack(folder / "site")

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Return one more worker; what it says goes to a file of its own."""
        command = [sys.executable, "-c", "from nodetool_core.cli import main; main()", "worker"]
        command += [
            "--database",
            self.database,
            "--storage",
            self.storage,
            *self._options,
            *options,
        ]
        with (self.folder / f"worker-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment(), stdout=log, stderr=log
            )
        self._processes.append(process)
        return process

    def environment(self) -> dict[str, str]:
        """Return what a process has to know to belong to these."""
        return os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder / "site")]),
            "NODETOOL_CACHE_DIR": str(self.folder / "cache"),
            "OMP_NUM_THREADS": "1",
        }

    def said(self) -> str:
        """Return what all of them said."""
        return "\n".join(
            file.read_text(errors="replace") for file in sorted(self.folder.glob("worker-*.log"))
        )

    def end(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def fleet(
    folder: Path, *options: str, database: str | None = None, storage: str | None = None
) -> Iterator[Fleet]:
    made = Fleet(folder, *options, database=database, storage=storage)
    try:
        yield made
    finally:
        made.end()
