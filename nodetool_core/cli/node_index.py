"""
What `nodetool nodes list` and the completion of shells show of nodes, without importing them.

Reading the declarations of a large pack takes longer than all else that a listing does. So what a
listing shows of a pack that says `Pack(indexed=True)` is kept in a file of the cache folder, with
the time and the size of every file that it was made of: those of the pack's folder, and of every
module that was imported for it. It counts where all of them, the Python and the installed packages
are still the same. No index is made while one of these files is less than a minute old: a change
within the same tick of the clock would go unseen.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from nodetool_core import __version__
from nodetool_core.engine.caching.tiered import cache_directory
from nodetool_core.packs import installed_packs, installed_places
from nodetool_core.types import choices, union_members

if TYPE_CHECKING:
    from nodetool_core.errors import Problem
    from nodetool_core.node_base import Node
    from nodetool_core.packs import Pack

_SETTLED: Final = 60.0
"""Seconds for which a file has to be as it is."""

_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where a new word begins in a name such as `GetImageSize`."""
_SPELLINGS: Final = (("colour", "color"), ("grey", "gray"), ("centre", "center"))

Stamps = dict[str, list[int]]
"""Path to the time of the last change, in nanoseconds, and the size in bytes."""


class NodeSummary(NamedTuple):
    """What a listing shows of a node and looks at."""

    node_type: str
    title: str
    description: str
    words: str
    """What filters look at besides: tags, names that it has elsewhere, use cases."""
    values: str
    """The values that its properties are limited to, such as the names of blend modes."""

    @property
    def namespace(self) -> str:
        return self.node_type.rpartition(".")[0]

    @classmethod
    def of(cls, node: type[Node]) -> NodeSummary:
        spec = node.spec
        words = "\n".join([*spec.tags, *spec.synonyms, *spec.use_cases])
        values = dict.fromkeys(
            str(value).replace("_", " ")
            for prop in spec.properties.values()
            for member in union_members(prop.annotation)
            for value in choices(member) or ()
        )
        return cls(spec.node_type, spec.title, spec.description, words, "\n".join(values))


def node_summaries() -> tuple[list[NodeSummary], list[Problem]]:
    """Return every node of the installed packs, by type, and what could not be imported."""
    packs, reported = installed_packs()
    found: list[NodeSummary] = []
    problems = list(reported)
    for pack in packs:
        summaries, failed = _nodes_of(pack)
        found += summaries
        problems += failed
    return sorted({node.node_type: node for node in found}.values()), problems


def matching(nodes: Iterable[NodeSummary], words: Sequence[str]) -> list[NodeSummary]:
    """Return the nodes whose type or texts have all the words, the nearest ones first."""
    wanted = [_plain(word) for word in words]
    parts = [_plain(_HUMP.sub(" ", word)).split() for word in words]
    phrase = "".join(wanted)
    found: list[tuple[int, NodeSummary]] = []
    for node in nodes:
        text = _text(node)
        if all(
            word in text or all(part in text for part in pieces)
            for word, pieces in zip(wanted, parts, strict=True)
        ):
            found.append((_distance(node, list(chain(*parts)), phrase), node))
    return [node for _, node in sorted(found, key=itemgetter(0))]


def _plain(text: str) -> str:
    """Return a text in small letters and in one spelling: `colour` and `color` are one word."""
    text = text.lower()
    for british, american in _SPELLINGS:
        text = text.replace(british, american)
    return text


def _text(node: NodeSummary) -> str:
    return _plain(f"{node.node_type}\n{node.description}\n{node.words}\n{node.values}")


def _distance(node: NodeSummary, words: Sequence[str], phrase: str) -> int:
    """
    Return how far a node is from what is looked for.

    0 where that is its name, more where a word is, where it is called so elsewhere, where all words
    or one stand in its type, where it is a value of a property, or only in its texts.
    """
    title, node_type = _plain(node.title), _plain(node.node_type)
    names, values = (
        _plain(texts).replace(" ", "").splitlines() for texts in (node.words, node.values)
    )
    fits = (
        phrase == title,
        title in words,
        phrase in names,
        all(word in node_type for word in words),
        any(word in node_type for word in words),
        phrase in values,
    )
    return fits.index(True) if any(fits) else len(fits)


def _nodes_of(pack: Pack) -> tuple[list[NodeSummary], list[Problem]]:
    if not pack.indexed:
        return _imported(pack)
    try:
        tree = _tree(pack)
    except (OSError, ImportError):
        # What is wrong with the pack is among the problems of importing it.
        return _imported(pack)
    indexed = _read(pack, tree)
    if indexed is not None:
        return indexed, []
    found, problems = _imported(pack)
    if not problems:
        _write(pack, tree, found)
    return found, problems


def _imported(pack: Pack) -> tuple[list[NodeSummary], list[Problem]]:
    from nodetool_core.registry import Registry

    registry = Registry([pack])
    return [NodeSummary.of(node) for node in registry], registry.problems


def _path(pack: Pack) -> Path:
    # One file for each environment: the next one takes the place of what counts no more.
    environment = zlib.crc32(f"{sys.prefix} {sys.version}".encode())
    return cache_directory().with_name("nodes") / f"{pack.package}-{environment:08x}.json"


def _environment() -> list[object]:
    return [__version__, sys.version, *map(list, installed_places())]


def _read(pack: Pack, tree: Stamps) -> list[NodeSummary] | None:
    """Return what the index has of a pack; None where there is none that counts."""
    try:
        index = json.loads(_path(pack).read_bytes())
        files = index["files"]
        if (
            index["environment"] == _environment()
            and tree.keys() <= files.keys()
            and _stamps(files) == files
        ):
            return [NodeSummary(*fields) for fields in index["nodes"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        # There is none, or something else has written there: it is made anew.
        pass
    return None


def _write(pack: Pack, tree: Stamps, nodes: list[NodeSummary]) -> None:
    from nodetool_core.assets.files import atomic_write

    # Of the pack as it was before the import, so that a change meanwhile is seen.
    files = _stamps(_imported_files()) | tree
    newest = max((changed for changed, _ in files.values()), default=0)
    if newest > (time.time() - _SETTLED) * 1e9:
        return
    content = {"environment": _environment(), "files": files, "nodes": nodes}
    # Without a folder to write to, each listing imports the nodes.
    with suppress(OSError):
        atomic_write(_path(pack), json.dumps(content).encode())


def _tree(pack: Pack) -> Stamps:
    """Return the stamps of all files in a pack's folder."""
    return _stamps(_files_below(str(pack.directory())))


def _files_below(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry.path
            elif entry.name != "__pycache__":
                yield from _files_below(entry.path)


def _imported_files() -> Iterator[str]:
    """Yield the files of all imported modules but those of Python itself."""
    own = f"{Path(os.__file__).parent}{os.sep}"
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and ("-packages" in path or not path.startswith(own)):
            yield path


def _stamps(paths: Iterable[str]) -> Stamps:
    found: Stamps = {}
    for path in paths:
        # Some modules name files that are none, such as those of torch's operators.
        with suppress(OSError):
            state = os.stat(path)  # noqa: PTH116 - hundreds of them
            found[path] = [state.st_mtime_ns, state.st_size]
    return found
