"""
Versions of what every image depends on besides its workflow.

Python, this program, the libraries that compute.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache

from nodetool_core import __version__

_LIBRARIES = ("torch", "diffusers", "transformers", "pillow", "numpy")


@cache
def versions() -> Mapping[str, str]:
    """
    Return versions by name, as far as installed: those that were there at the first call.
    """
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": sys.version.split()[0], "nodetool": __version__}
    for package in _LIBRARIES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
