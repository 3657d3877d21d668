"""
Addresses of pages of the Hugging Face Hub.

People copy them from a browser, in place of a Hub id.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_PAGE = re.compile(r"(https?://)?(www\.)?(huggingface\.co|hf\.co)/(?P<path>[^?#]+)", re.IGNORECASE)
_KINDS = {
    "datasets": "a dataset",
    "spaces": "a space",
    "papers": "a paper",
    "docs": "documentation",
    "collections": "a collection",
}
_VIEWS = ("blob", "resolve", "raw", "tree")
_TEXTS = (".json", ".md", ".txt")


def read_page(address: str) -> dict[str, str] | None:
    """
    Return what the address of a model's page names.

    `repo_id`, and `revision` and `path` where it names them.

    None for what is no page of the Hub. A page of a text file, such as the card, stands for the
    whole repository. Raises ValueError for pages of datasets and the like, and of folders inside a
    repository.
    """
    found = _PAGE.fullmatch(re.split(r"[?#]", address.strip())[0])
    if found is None:
        return None
    parts = [unquote(part) for part in found["path"].strip("/").split("/")]
    if parts[0] in _KINDS:
        raise ValueError(f"is the page of {_KINDS[parts[0]]}, and of no model")
    view = next((at for at in (1, 2) if parts[at : at + 1] and parts[at] in _VIEWS), len(parts))
    named = {"repo_id": "/".join(parts[: min(view, 2)])}
    revision, path = "/".join(parts[view + 1 : view + 2]), "/".join(parts[view + 2 :])
    if parts[view : view + 1] == ["tree"] and path:
        raise ValueError(
            f"is the page of a folder of {named['repo_id']}; name the repository, or a file of it"
            " in `path`"
        )
    if revision and revision != "main":
        named["revision"] = revision
    if path and not path.endswith(_TEXTS):
        named["path"] = path
    return named
