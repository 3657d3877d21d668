"""What people type into the search leads to their page; what is copied can be pasted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documentation import SHELLS, blocks
from tests.site.browser import Browser

DOCS = Path(__file__).parents[2] / "docs"

pytestmark = pytest.mark.slow

INPUT = "document.querySelector('[data-md-component=search-query]')"
META = "document.querySelector('.md-search-result__meta')"
FOUND = "[...document.querySelectorAll('.md-search-result__item > a')].slice(0, 3)"

SOUGHT = {
    "docker": "deployment/",
    "kubernetes": "deployment/",
    "nginx": "deployment/",
    "https": "deployment/",
    "authentication": "deployment/",
    "install": "installation/",
    "uninstall": "installation/",
    "upgrade": "installation/",
    "windows": "installation/",
    "mac": "installation/",
    "cuda": "installation/",
    "gpu": "installation/",
    "rocm": "installation/",
    "heic": "installation/",
    "conda": "installation/",
    "pipx": "installation/",
    "proxy": "installation/",
    "offline": "installation/",
    "tutorial": "guides/first-image/",
    "quickstart": "guides/first-image/",
    "command line": "guides/first-image/",
    "jupyter": "guides/from-a-notebook/",
    "notebook": "guides/from-a-notebook/",
    "watermark": "nodes/lib/pillow/draw/watermark/",
    "batch": "guides/recipes/",
    "faq": "guides/recipes/",
    "gui": "guides/editor/",
    "cache": "guides/caching-and-replay/",
    "seed": "guides/caching-and-replay/",
    "out of memory": "guides/models-and-memory/",
    "custom node": "guides/writing-nodes/",
    "plugin": "guides/writing-nodes/",
    "comfyui": "guides/coming-from/",
    "api key": "hosted-services/",
    "flux": "gallery/",
    "crop": "nodes/nodetool/image/crop/",
    "upscale": "nodes/huggingface/",
    "lora": "nodes/huggingface/loaders/load_lora/",
    "license": "",
    "missing_image": "troubleshooting/",
}
"""What is typed, and the page that is among the first three found."""


@pytest.fixture(scope="module")
def searched(browser: Browser, address: str) -> dict[str, list[str]]:
    """Return the addresses that each of the words finds first, without places in the page."""
    browser.be_new(width=1400, height=900)
    browser.open(address)
    browser.evaluate(f"{INPUT}.focus()")
    browser.wait_for(f"{META} && document.activeElement === {INPUT}")
    found: dict[str, list[str]] = {}
    for words in SOUGHT:
        browser.evaluate(
            f"({INPUT}.value = '', {INPUT}.dispatchEvent(new Event('keyup', {{bubbles: true}})))"
        )
        browser.wait_for(f"{META}.textContent.startsWith('Type')")
        browser.call("Input.insertText", text=words)
        browser.evaluate(f"{INPUT}.dispatchEvent(new Event('keyup', {{bubbles: true}}))")
        browser.wait_for(f"!{META}.textContent.startsWith('Type')")
        links = browser.evaluate(f"{FOUND}.map(link => link.href)")
        found[words] = [
            link.removeprefix(address).partition("?")[0].partition("#")[0] for link in links
        ]
    assert browser.complaints() == []
    return found


@pytest.mark.parametrize("words", SOUGHT)
def test_n15_the_search_finds_what_people_type(words: str, searched: dict[str, list[str]]) -> None:
    pages = searched[words]
    wanted = SOUGHT[words]
    if wanted.endswith("huggingface/"):
        assert any(page.startswith(wanted) for page in pages), pages
    else:
        assert wanted in pages


WITH_COMMANDS = [
    path
    for folder in (DOCS, DOCS / "guides")
    for path in sorted(folder.glob("*.md"))
    if any(block.language in SHELLS for block in blocks(path))
]


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=lambda path: path.stem)
def test_n14_what_is_copied_can_be_pasted(path: Path, browser: Browser, address: str) -> None:
    page = path.relative_to(DOCS).with_suffix("").as_posix()
    browser.be_new(width=1400, height=900)
    browser.open(f"{address}{'' if page == 'index' else f'{page}/'}")
    browser.wait_for("document.querySelector('.md-code__button, .md-clipboard')")
    copied = browser.evaluate(COPY_ALL)
    wanted = [
        [command for command, _ in block.commands]
        for block in blocks(path)
        if block.language == "console"
    ]
    assert [_joined(text) for text in copied] == wanted


COPY_ALL = """
(() => {
  const copied = [];
  document.addEventListener("copy", event => {
    const field = document.activeElement;
    copied.push(field.value || String(getSelection()));
    event.preventDefault();
  });
  document.execCommand = () => copied.push(
    document.activeElement.value || String(getSelection())) > 0;
  for (const block of document.querySelectorAll(".language-console")) {
    block.querySelector("[data-clipboard-target]").click();
  }
  return copied;
})()
"""


def _joined(text: str) -> list[str]:
    """Return the commands in what was copied; one that goes on in the next line as one."""
    lines = text.replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]
