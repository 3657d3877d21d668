"""
The command line: `nodetool run`, `validate`, `graph`, `nodes`, `models`, `docs`, `serve` and more.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """What the console script `nodetool` calls."""
    from nodetool_core.cli.app import execute

    # Torch's threads spin while they wait for one another; where other programs need the cores,
    # that makes a second of work minutes.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Looking for plugins of pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    code = execute(sys.argv[1:])
    # Python would go through every object of torch once more before it ends, which takes seconds
    # and frees nothing that the system won't.
    gc.freeze()
    sys.exit(code)
