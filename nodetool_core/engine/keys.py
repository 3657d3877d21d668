"""
Cache keys, Merkle style.

    base(node) = node type, code version, versions of libraries, canonical values,
                 for each input: its name
    key(node)  = blake2b( base, for each input: the key of its source )

A key stands for what a result is made of and nothing else: it does not depend on ids, positions,
the order of properties, or the process. A file counts by its content. One hash per node, in
topological order: no ancestor is ever looked at twice.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from nodetool_core.engine.code_version import CodeVersion, version_of
from nodetool_core.engine.versions import versions
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.graph import GraphNode
from nodetool_core.own_types import JsonValue, fields_of
from nodetool_core.ownership import own_copy
from nodetool_core.references import AssetRef, ModelRef, Reference
from nodetool_core.services import ServiceError, Services
from nodetool_core.type_forms import forms_of
from nodetool_core.values import PLAIN_TYPES

if TYPE_CHECKING:
    from nodetool_core.context import Sources
    from nodetool_core.node_base import Node
    from nodetool_core.properties import Property

_log = logging.getLogger(__name__)

_blake2b = hashlib.blake2b

Key = bytes

KEY_FORMAT = b"nodetool-5:"
"""Changes when keys are made in another way, so that old entries are not found."""


KEY_BYTES = 16

_LONGEST_BASE = 256
"""Bytes: what is longer, such as a text of many lines, is held as its hash."""


def has_fingerprint(node_class: type[Node]) -> bool:
    """Return whether a class defines what else its result depends on."""
    return any(
        "fingerprint" in vars(base)
        for base in node_class.__mro__
        if base.__module__ != "nodetool_core.node_base"
    )


def combine(*parts: bytes) -> Key:
    """Return the key of something made of parts, each of which counts with its length."""
    return hashlib.blake2b(
        b"".join(b"%d:%b" % (len(part), part) for part in parts), digest_size=KEY_BYTES
    ).digest()


def of_node(base: bytes, inputs: Sequence[Key]) -> Key:
    """
    Return the key of a node.

    The base, which names the inputs, states how many there are; every key has the same length.
    """
    return _blake2b(base + b"".join(inputs), digest_size=KEY_BYTES).digest()


def unique() -> Key:
    """Return a key that nothing else has: for what is never the same twice."""
    return secrets.token_bytes(KEY_BYTES)


class _OfClass(NamedTuple):
    """What is the same in the keys of all nodes of a class."""

    key: Key
    has_fingerprint: bool
    properties: list[tuple[str, str, Property]]
    """Those that a result depends on, by name: name, name as keys have it, property."""


class KeyMaker:
    """Makes keys; remembers code versions until the code changes."""

    def __init__(self, services: Services | None = None) -> None:
        self._services = services or Services()
        self._versions: dict[type[Node], CodeVersion] = {}
        self._classes: dict[type[Node], _OfClass] = {}
        self._lock = threading.Lock()

    def code_of(self, node_class: type[Node]) -> bytes:
        """
        Return the version of a class's code as it is now.

        Keys are made with the one that was returned last.
        """
        version = self._versions.get(node_class)
        if version is None or not version.is_current():
            with self._lock:
                before, version = version, version_of(node_class)
                if version.unknown and (before is None or before.unknown != version.unknown):
                    reasons = ", ".join(version.unknown)
                    _log.warning(
                        "Results of %s stay in this process: its code uses %s.",
                        node_class.__qualname__,
                        reasons,
                    )
                self._versions[node_class] = version
                libraries = repr(sorted(versions().items())).encode()
                key = combine(
                    KEY_FORMAT, node_class.spec.node_type.encode(), version.digest, libraries
                )
                self._classes[node_class] = _OfClass(
                    key,
                    has_fingerprint(node_class),
                    [
                        (name, repr(name), prop)
                        for name, prop in sorted(node_class.spec.properties.items())
                        if not prop.label
                    ],
                )
        return version.digest

    def fingerprint(
        self, node: GraphNode, values: dict[str, object], sources: Sources
    ) -> str | None:
        """Return what a result depends on besides code, values and inputs; None for no content."""
        of_class = self._of_class(node.node_class)
        own = _fingerprint(node, values, sources) if of_class.has_fingerprint else ""
        if node.node_class.services:
            services = self._of_services(node)
            own = None if own is None or services is None else f"{own}{services}"
        return own

    def base(
        self, node: GraphNode, values: dict[str, Any], wiring: str, sources: Sources
    ) -> bytes | None:
        """
        Return the part of a node's key that does not come from its inputs.

        None where something that it depends on has no content.

        Args:
            wiring: The names of the inputs.
        """
        own = self.fingerprint(node, values, sources)
        return None if own is None else self.base_of(node, values, wiring, sources, own)

    def base_of(
        self, node: GraphNode, values: dict[str, object], wiring: str, sources: Sources, own: str
    ) -> bytes | None:
        """Return `base`, given the node's fingerprint."""
        of_class = self._classes.get(node.node_class) or self._of_class(node.node_class)
        content = ""
        try:
            for name, shown, prop in of_class.properties:
                if name not in values:
                    continue
                value = values[name]
                if type(value) in PLAIN_TYPES:
                    content += f"{shown}:{value!r},"
                elif not prop.is_default(value):
                    # Defaults count through the code version: a class whose defaults change is
                    # another version.
                    content += f"{shown}:{_canonical(value, sources)},"
            dynamic = _canonical(node.dynamic, sources) if node.dynamic else ""
        except (NodetoolError, TypeError):
            # A file that can't be read is the node's to report, when it runs.
            return None
        base = of_class.key + f"{{{content}}}{dynamic}{own!r}{wiring};".encode()
        if len(base) <= _LONGEST_BASE:
            return base
        return b"%b#%b" % (of_class.key, _blake2b(base, digest_size=KEY_BYTES).digest())

    def _of_class(self, node_class: type[Node]) -> _OfClass:
        found = self._classes.get(node_class)
        if found is None:
            self.code_of(node_class)
            found = self._classes[node_class]
        return found

    def _of_services(self, node: GraphNode) -> str | None:
        """Return what of the services of a node counts. Raises ServiceError."""
        try:
            return self._services.fingerprint(node.node_class.services)
        except ServiceError as error:
            raise ServiceError(
                replace(error.problem, where=f"node {node.id!r} ({node.spec.node_type})")
            ) from None

    def item(self, value: object, loop: Key, number: int, sources: Sources) -> Key:
        """
        Return the key of one item of a loop.

        By its content where that is at hand, else by its place in the loop.
        """
        return self.content(value, sources) or combine(b"item", loop, str(number).encode())

    def content(self, value: object, sources: Sources) -> Key | None:
        """Return a key of what a value is; None where that is not known."""
        try:
            return combine(b"value", _canonical(value, sources).encode())
        except (TypeError, NodetoolError):
            return None


def _fingerprint(node: GraphNode, values: dict[str, Any], sources: Sources) -> str | None:
    try:
        return node.node_class.fingerprint(own_copy(values), sources)
    except NodetoolError:
        return None
    except Exception as error:
        place = f"node {node.id!r} ({node.spec.node_type})"
        raise NodetoolError(
            Problem(
                "fingerprint_failed", place, f"fingerprint failed: {type(error).__name__}: {error}"
            )
        ) from error


def _canonical(value: Any, sources: Sources) -> str:
    """
    Return a text that is equal for equal content, and different for different content.

    Raises TypeError where the value has none.
    """
    kind = type(value)
    if kind in PLAIN_TYPES:
        return repr(value)
    if kind is dict:
        if all(type(name) is str for name in value):
            return _canonical_items(sorted(value.items(), key=itemgetter(0)), sources)
        pairs = [
            f"{_canonical(name, sources)}:{_canonical(item, sources)}"
            for name, item in value.items()
        ]
        return f"<{','.join(sorted(pairs))}>"
    if kind is list or kind is tuple:
        content = ",".join([_canonical(item, sources) for item in value])
        return f"[{content}]" if kind is list else f"({content})"
    if isinstance(value, AssetRef):
        return f"asset{(value.type, '' if value.is_empty() else sources.digest(value))!r}"
    if isinstance(value, ModelRef) and not value.is_empty():
        return (
            f"model{_canonical([value.model_dump(mode='json'), sources.revision(value)], sources)}"
        )
    if isinstance(value, Reference):
        return f"reference{_canonical(value.model_dump(mode='json'), sources)}"
    if hasattr(value, "tobytes") and hasattr(value, "shape"):
        content = hashlib.blake2b(value.tobytes(), digest_size=KEY_BYTES).hexdigest()
        return f"array{_canonical([str(value.dtype), list(value.shape), content], sources)}"
    name = f"{kind.__module__}.{kind.__qualname__}"
    return f"value{_canonical([name, _made_of(value, sources)], sources)}"


def _made_of(value: Any, sources: Sources) -> Any:
    """
    Return what distinguishes a value from others of its class, in plainer terms.

    Raises TypeError where that is not known.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, JsonValue):
        return value.to_json()
    if (forms := forms_of(type(value))) is not None:
        if forms.to_json is not None:
            return forms.to_json(value)
        if forms.to_parts is not None:
            return forms.to_parts(value)
    for plain in (str, int, float):
        if isinstance(value, plain):
            return plain.__repr__(value)
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, (set, frozenset)):
        return sorted(_canonical(item, sources) for item in value)
    if (fields := fields_of(value)) is not None:
        return fields
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return dict(value)
    raise TypeError(f"{type(value).__qualname__} has no content that is known.")


def _canonical_items(items: Iterable[tuple[str, Any]], sources: Sources) -> str:
    parts = [
        (
            f"{name!r}:{value!r}"
            if type(value) in PLAIN_TYPES
            else f"{name!r}:{_canonical(value, sources)}"
        )
        for name, value in items
    ]
    return f"{{{','.join(parts)}}}"
