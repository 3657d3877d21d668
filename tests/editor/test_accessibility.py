"""G5: what axe finds on each screen, in light and dark: nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.editor.browser import EditorBrowser
from tests.editor.conftest import LiveEditor
from tests.editor.screens import SCREENS, make_results
from tests.site.browser import installed

ROOT = Path(__file__).parents[2]
AXE = Path(os.environ.get("NODETOOL_AXE") or ROOT / "editor/node_modules/axe-core/axe.min.js")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = [
    pytest.mark.skipif(installed() is None, reason="needs a Chromium"),
    pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: npm ci in editor/"),
]


@pytest.fixture(scope="module", autouse=True)
def results(editor: LiveEditor) -> None:
    make_results(editor)


def violations(page: EditorBrowser) -> list[str]:
    """Return what axe finds on the page as it is shown, a line each."""
    page.evaluate(AXE.read_text("utf-8") + ";0")
    found: list[dict[str, Any]] = page.evaluate(
        f"axe.run(document, {{runOnly: {RULES!r}, resultTypes: ['violations']}})"
        ".then(found => found.violations)"
    )
    return [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for one in found
        for node in one["nodes"][:5]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", SCREENS)
def test_axe_finds_nothing(
    browser: EditorBrowser, editor: LiveEditor, name: str, theme: str
) -> None:
    browser.start(editor.address(), width=1440, height=900, dark=theme == "dark")
    SCREENS[name](browser, editor.url)
    assert violations(browser) == []


@pytest.mark.parametrize("name", ["start", "form", "gallery", "models"])
def test_axe_finds_nothing_on_a_phone(
    browser: EditorBrowser, editor: LiveEditor, name: str
) -> None:
    browser.start(editor.address(), width=360, height=740, phone=True)
    SCREENS[name](browser, editor.url)
    assert violations(browser) == []
