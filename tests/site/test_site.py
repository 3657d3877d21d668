"""The site builds without a warning, and a browser shows every page without complaint."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from nodetool_core import __version__
from tests.site.browser import Browser
from tests.site.conftest import build

SHOWN = [
    "",
    "installation/",
    "deployment/",
    "guides/recipes/",
    "guides/first-image/",
    "guides/coming-from/",
    "nodes/",
    "nodes/types/",
    "nodes/tags/",
    "nodes/nodetool/image/crop/",
    "gallery/",
    "api/",
    "troubleshooting/",
    "architecture/",
]

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a page links to, what it loads, and which places in it have names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.names |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(values.get("href", ""))
        elif "src" in values:
            self.loads.append(values["src"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Return every page by its address below the site."""
    return {
        f"/{path.relative_to(site).as_posix().removesuffix('index.html')}": Page(path.read_text())
        for path in site.rglob("*.html")
    }


def test_every_link_leads_to_a_page_and_a_place_in_it(site: Path, pages: dict[str, Page]) -> None:
    dead = []
    for address, page in pages.items():
        for link in page.links:
            if urlsplit(link).scheme or not link:
                continue
            place, _, name = urljoin(address, link).partition("#")
            target = site / unquote(place).lstrip("/")
            if not (target / "index.html").exists() and not target.is_file():
                dead.append(f"{address}: {link}")
            elif (
                name
                and place in pages
                and unquote(name) not in pages[place].names | {"__skip", "__search"}
            ):
                dead.append(f"{address}: {link}: no such place")
    assert dead == []


def test_every_block_of_code_is_one(site: Path) -> None:
    broken = [
        path.relative_to(site).as_posix()
        for path in site.rglob("*.html")
        if "<p>```" in path.read_text()
    ]
    assert broken == [], "a fence in a form that the site does not know"


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[str, Page]) -> None:
    loads = {(address, load) for address, page in pages.items() for load in page.loads}
    assert [f"{address}: {load}" for address, load in sorted(loads) if urlsplit(load).netloc] == []
    missing = [
        f"{a}: {load}"
        for a, load in sorted(loads)
        if not load.startswith("data:") and not _file(site, a, load).is_file()
    ]
    assert missing == []


def _file(site: Path, address: str, load: str) -> Path:
    return site / unquote(urlsplit(urljoin(address, load)).path).lstrip("/")


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page or "home")
def test_a_page_shows_without_complaint_on_a_desk_and_on_a_phone(
    page: str, browser: Browser, address: str
) -> None:
    for width, height, phone, dark in [(1400, 900, False, False), (390, 844, True, True)]:
        browser.be_new(width=width, height=height, phone=phone, dark=dark)
        browser.open(address + page)
        assert browser.evaluate("document.querySelector('h1').textContent.length") > 2
        scheme = browser.wait_for("document.body.getAttribute('data-md-color-scheme')")
        assert scheme == ("slate" if dark else "default")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, (
            "the page must not scroll sideways"
        )
        assert (
            browser.evaluate(
                "[...document.images].filter(image => image.complete &&"
                " !image.naturalWidth).map(image => image.src)"
            )
            == []
        )
        assert browser.complaints() == []
        assert browser.hosts() == {urlsplit(address).netloc}


WIDE = [
    "models/",
    "performance/",
    "nodes/huggingface/image_to_image/image_to_image/",
    "nodes/huggingface/text_to_image/text_to_image/",
]


@pytest.mark.parametrize("page", WIDE)
def test_wide_tables_fit_a_desk(page: str, browser: Browser, address: str) -> None:
    browser.be_new(width=1280, height=900)
    browser.open(address + page)
    browser.wait_for("document.querySelector('.md-typeset__table')")
    assert (
        browser.evaluate(
            "[...document.querySelectorAll('.md-typeset table')].filter(t => t.scrollWidth >"
            " t.clientWidth + 1).length"
        )
        == 0
    )


def test_a_property_is_a_card_on_a_phone(browser: Browser, address: str) -> None:
    browser.be_new(width=390, height=844, phone=True)
    browser.open(f"{address}nodes/huggingface/image_to_image/image_to_image/")
    browser.wait_for("document.querySelector('.md-typeset__table')")
    cell = "[...document.querySelectorAll('td')].find(cell => cell.textContent === 'strength')"
    assert browser.evaluate(
        f"{cell}.closest('table').scrollWidth <= {cell}.closest('table').clientWidth + 1"
    )
    assert (
        browser.evaluate(
            f"{cell}.nextElementSibling.nextElementSibling.getBoundingClientRect().width"
        )
        > 250
    )
    assert (
        browser.evaluate(f"getComputedStyle({cell}.parentElement.children[3], '::before').content")
        == '"Default: "'
    )


def test_what_a_table_is_about_stays_in_sight(browser: Browser, address: str) -> None:
    browser.be_new(width=390, height=844, phone=True)
    browser.open(f"{address}models/")
    browser.wait_for("document.querySelector('.md-typeset__table')")
    moved = (
        "(() => { const table = document.querySelector('.md-typeset table'); table.scrollLeft ="
        " 200; return table.scrollLeft; })()"
    )
    assert browser.evaluate(moved) == 200
    left = "document.querySelector('.md-typeset tbody td').getBoundingClientRect().left"
    assert (
        browser.evaluate(
            f"{left} - document.querySelector('.md-typeset table').getBoundingClientRect().left"
        )
        < 5
    )


def test_the_toggle_makes_it_dark(browser: Browser, address: str) -> None:
    browser.be_new(width=1400, height=900)
    browser.open(address)
    assert browser.wait_for("document.body.getAttribute('data-md-color-scheme')") == "default"
    browser.evaluate(
        "document.querySelector('form[data-md-component=palette] label:not([hidden])').click()"
    )
    assert browser.wait_for("document.body.getAttribute('data-md-color-scheme') === 'slate'")


def test_nodes_are_found_by_use_case_and_opened(browser: Browser, address: str) -> None:
    browser.be_new(width=1400, height=900)
    browser.open(f"{address}nodes/")
    browser.wait_for("document.querySelector('#node-search input')")
    browser.evaluate(
        "(() => { const input = document.querySelector('#node-search input'); input.value = 'remove"
        " a border'; input.dispatchEvent(new Event('input')); })()"
    )
    link = browser.wait_for(
        "document.querySelector('#node-search li a') && document.querySelector('#node-search li"
        " a').href"
    )
    assert link == f"{address}nodes/nodetool/image/crop/"
    browser.open(link)
    assert browser.evaluate("document.querySelector('h1').textContent").startswith("Crop")
    assert browser.complaints() == []


def test_each_page_has_its_version_which_leads_to_the_changelog(
    browser: Browser, address: str
) -> None:
    browser.be_new(width=1400, height=900)
    for page in ("", "guides/recipes/"):
        browser.open(address + page)
        link = "document.querySelector('.md-copyright a')"
        assert browser.evaluate(f"{link}.textContent") == __version__
        assert browser.evaluate(f"{link}.href") == f"{address}changelog/"


def test_pages_by_hand_link_to_their_source_where_it_has_an_address(tmp_path: Path) -> None:
    out = build(tmp_path / "site", NODETOOL_REPOSITORY="https://example.com/nodetool")
    page = (out / "guides" / "recipes" / "index.html").read_text()
    assert 'href="https://example.com/nodetool/edit/main/docs/guides/recipes.md"' in page
    assert "/edit/main/" not in (out / "troubleshooting" / "index.html").read_text()
