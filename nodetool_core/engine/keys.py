"""
Cache keys, Merkle style.

    base(node) = blake2b( node type, code version, canonical values, for each input: its name )
    key(node)  = blake2b( base, for each input: the key of its source )

A key says what a result is made of and nothing else: it does not depend on ids, positions, the order of properties, or the
process. A file counts by its content. One hash per node, in topological order: no ancestor is ever looked at twice.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import secrets
import sys
import types
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodetool_core.declaration import jsonable
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.graph import GraphNode
from nodetool_core.references import AssetRef, ModelRef, Reference

if TYPE_CHECKING:
    from nodetool_core.context import Sources
    from nodetool_core.node import Node

Key = bytes

KEY_FORMAT = b"nodetool-2:"
"""Changes when keys are made in another way, so that old entries are not found."""


KEY_BYTES = 16


def has_fingerprint(node_class: type[Node]) -> bool:
    """Whether a class says for itself what else its result depends on."""
    return any("fingerprint" in vars(base) for base in node_class.__mro__ if base.__module__ != "nodetool_core.node")


def combine(*parts: bytes) -> Key:
    """The key of something made of parts, each of which counts with its length."""
    return hashlib.blake2b(b"".join(b"%d:%b" % (len(part), part) for part in parts), digest_size=KEY_BYTES).digest()


def of_node(base: Key, inputs: list[Key]) -> Key:
    """The key of a node. The base, which names the inputs, says how many there are; every key has the same length."""
    return hashlib.blake2b(base + b"".join(inputs), digest_size=KEY_BYTES).digest()


def unique() -> Key:
    """A key that nothing else has: for what is never the same twice."""
    return secrets.token_bytes(KEY_BYTES)


class KeyMaker:
    """Makes keys; remembers code versions for as long as the process runs the same code."""

    def __init__(self) -> None:
        self._versions: dict[type[Node], bytes] = {}
        self._classes: dict[type[Node], tuple[Key, bool]] = {}

    def code_version(self, node_class: type[Node]) -> bytes:
        """Hash of the source that a node's result depends on: its module and, of the same pack, what that imports."""
        version = self._versions.get(node_class)
        if version is None:
            version = self._versions[node_class] = _source_digest(node_class)
        return version

    def _of_class(self, node_class: type[Node]) -> tuple[Key, bool]:
        """What is the same for all nodes of a class: the part of their keys, and whether they have fingerprints."""
        known = self._classes.get(node_class)
        if known is None:
            key = combine(KEY_FORMAT, node_class.spec.node_type.encode(), self.code_version(node_class))
            known = self._classes[node_class] = key, has_fingerprint(node_class)
        return known

    def base(self, node: GraphNode, values: dict[str, Any], wiring: str, sources: Sources) -> Key:
        """
        The part of a node's key that does not come from its inputs.

        Args:
            wiring: The names of the inputs.
        """
        of_class, asks = self._of_class(node.node_class)
        own = _fingerprint(node, values, sources) if asks else ""
        properties = node.node_class.spec.properties
        # Defaults count through the code version: a class whose defaults change is another version.
        given = [item for item in sorted(values.items()) if not properties[item[0]].is_default(item[1])] if values else ()
        try:
            content = f"{_canonical_items(given, sources)}{_canonical(node.dynamic, sources)}{own!r}{wiring}"
        except (NodetoolError, TypeError):
            # A file that can't be read is the node's to report, when it runs; a value that has no JSON form has no key.
            own = None
        if own is None:
            return unique()
        return hashlib.blake2b(of_class + content.encode(), digest_size=KEY_BYTES).digest()

    def item(self, value: Any, loop: Key, number: int, sources: Sources) -> Key:
        """The key of one item of a loop: by its content where that is at hand, else by its place in the loop."""
        try:
            return combine(b"value", _canonical(value, sources).encode())
        except (TypeError, NodetoolError):
            return combine(b"item", loop, str(number).encode())


def _fingerprint(node: GraphNode, values: dict[str, Any], sources: Sources) -> str | None:
    try:
        return node.node_class.fingerprint(values, sources)
    except NodetoolError:
        return None
    except Exception as error:
        place = f"node {node.id!r} ({node.spec.node_type})"
        raise NodetoolError(Problem("fingerprint_failed", place, f"fingerprint failed: {type(error).__name__}: {error}")) from error


_AS_WRITTEN = frozenset({str, int, float, bool, types.NoneType})
"""Types whose values Python writes differently wherever they differ. Texts are quoted, so that none can look like anything else."""


def _canonical(value: Any, sources: Sources) -> str:
    """A text that is equal for equal content, and different for different content. Raises TypeError where the value has none."""
    kind = type(value)
    if kind in _AS_WRITTEN:
        return repr(value)
    if kind is dict:
        return _canonical_items(sorted([(str(name), item) for name, item in value.items()], key=itemgetter(0)), sources)
    if kind in (list, tuple):
        return f"[{','.join([_canonical(item, sources) for item in value])}]"
    if isinstance(value, AssetRef):
        return f"asset{(value.type, '' if value.is_empty() else sources.digest(value))!r}"
    if isinstance(value, ModelRef) and not value.is_empty():
        return f"model{_canonical([value.model_dump(mode='json'), sources.revision(value)], sources)}"
    if isinstance(value, Reference):
        return f"reference{_canonical(value.model_dump(mode='json'), sources)}"
    if hasattr(value, "tobytes") and hasattr(value, "shape"):
        content = hashlib.blake2b(value.tobytes(), digest_size=KEY_BYTES).hexdigest()
        return f"array{_canonical([str(value.dtype), list(value.shape), content], sources)}"
    return f"value{_canonical([f'{kind.__module__}.{kind.__qualname__}', jsonable(value)], sources)}"


def _canonical_items(items: Iterable[tuple[str, Any]], sources: Sources) -> str:
    parts = [f"{name!r}:{value!r}" if type(value) in _AS_WRITTEN else f"{name!r}:{_canonical(value, sources)}" for name, value in items]
    return f"{{{','.join(parts)}}}"


def _source_digest(node_class: type[Node]) -> bytes:
    """Digest of every module that the class's code imports inside its own top-level packages, lazily or not."""
    pending = [base.__module__ for base in node_class.__mro__ if base.__module__.partition(".")[0] not in ("builtins", "nodetool_core")]
    seen: set[str] = set()
    parts: list[bytes] = []
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        source = _source_of(name)
        if source is not None:
            pending.extend(_imports(name, source))
        elif name == node_class.__module__:
            source = _class_source(node_class)
        if source is not None:
            parts.append(combine(name.encode(), source))
    return combine(*sorted(parts))


def _source_of(module: str) -> bytes | None:
    """The source of a module as the file has it; None for what is no Python file."""
    loaded = sys.modules.get(module)
    path = getattr(loaded, "__file__", None)
    if loaded is None:
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        path = found.origin if found else None
    if path is None or not path.endswith(".py"):
        return None
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


_IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+\(?([\w, \t\n]+)|import[ \t]+([\w.]+))", re.MULTILINE)


def _imports(module: str, source: bytes) -> list[str]:
    """The modules of the same top-level package that a source names in import statements, at any depth of its code."""
    package, found = module.partition(".")[0], []
    is_package = str(getattr(sys.modules.get(module), "__file__", "")).endswith("__init__.py")
    for origin, names, plain in _IMPORT.findall(source):
        name = (origin or plain).decode()
        if name.startswith("."):
            depth = len(name) - len(name.lstrip(".")) - is_package
            parent = module.split(".")[: len(module.split(".")) - depth]
            name = ".".join([*parent, *filter(None, [name.lstrip(".")])])
        if name.partition(".")[0] == package:
            found.append(name)
            found.extend(f"{name}.{part.strip()}" for part in names.decode().split(",") if part.strip().isidentifier())
    return found


def _class_source(node_class: type[Node]) -> bytes:
    try:
        return inspect.getsource(node_class).encode()
    except (OSError, TypeError):
        process: Any = node_class.process  # type: ignore[attr-defined]
        return bytes(process.__code__.co_code) + repr(process.__code__.co_consts).encode()
