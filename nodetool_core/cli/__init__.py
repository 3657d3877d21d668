"""The command line: `nodetool run`, `validate`, `graph`, `nodes`, `models`, `docs`, `serve` and more."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """What the console script `nodetool` calls."""
    from nodetool_core.cli.app import execute

    # Torch's threads spin while they wait for one another; where other programs need the cores, that makes a second of work minutes.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(execute(sys.argv[1:]))
