"""The command line: `nodetool run`, `validate`, `graph`, `nodes`, `docs`."""

from __future__ import annotations

import sys


def main() -> None:
    """What the console script `nodetool` calls."""
    from nodetool_core.cli.app import execute

    sys.exit(execute(sys.argv[1:]))
