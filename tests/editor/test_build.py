"""The built page that is committed is made of the sources that are committed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "editor"
BUILT = ROOT / "nodetool_core" / "editor" / "static"
FILES = ("index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts")


def digest() -> str:
    """Return what `editor/scripts/digest.mjs` writes: SHA-256 of all names and contents."""
    below = [path for path in (SOURCE / "src").rglob("*") if path.is_file()]
    names = [*FILES, *(path.relative_to(SOURCE).as_posix() for path in below)]
    found = hashlib.sha256()
    for name in sorted(names, key=str.encode):
        found.update(name.encode() + b"\0" + (SOURCE / name).read_bytes() + b"\0")
    return found.hexdigest()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.skipif(not SOURCE.is_dir(), reason="needs the sources of the editor")
def test_the_build_is_made_of_the_sources() -> None:
    written = json.loads((BUILT / "build.json").read_text("utf-8"))
    assert written["digest"] == digest(), "in editor/: npm ci && npm run build, then commit"


def test_the_page_names_only_files_of_the_build() -> None:
    page = (BUILT / "index.html").read_text("utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert named
    assert all(name.startswith("/editor/assets/") for name in named)
    assert all((BUILT / name.removeprefix("/editor/")).is_file() for name in named)


def test_the_page_has_no_script_and_no_style_of_its_own() -> None:
    page = (BUILT / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert "<style" not in page
    assert "style=" not in page


@pytest.mark.slow
def test_a_wheel_that_is_made_without_node_has_the_page(tmp_path: Path) -> None:
    """G13: the page needs nothing but the wheel."""
    pytest.importorskip("hatchling", reason="needs hatchling")
    environment = os.environ | {"PATH": str(tmp_path)}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "installed")
    assert files(tmp_path / "installed" / BUILT.relative_to(ROOT)) == files(BUILT)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("npm") is None or not (SOURCE / "node_modules").is_dir(),
    reason="needs npm, and `npm ci` in editor/",
)
def test_a_second_build_has_the_same_bytes(tmp_path: Path) -> None:
    environment = os.environ | {"EDITOR_OUT": str(tmp_path)}
    built = subprocess.run(
        ["npm", "run", "build"],
        cwd=SOURCE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert files(tmp_path) == files(BUILT)
