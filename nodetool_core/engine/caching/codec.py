"""
Values to bytes and back, for the disk tier.

A value becomes a *skeleton*, JSON that holds containers and all that is small, and *leaves*:
pixels, arrays, bytes. In the skeleton a JSON object is always one tag with its content (`{"tuple":
[…]}`, `{"leaf": 0}`); text, numbers, booleans, null and lists stand for themselves. What comes back
has the type it had and is equal, or nothing comes back.

The skeleton is made at once and shares nothing with the value; leaves are turned into bytes when
the entry is written. Objects are never pickled: a class is named only for references, enums, named
tuples, dataclasses, pydantic models and what has a form of its own, and must be one that is loaded
already, so that an entry can't bring code. A value with any other part has no codec and stays in
memory.

    payload = u32 length, skeleton;
              for each leaf: u32 length, what it is (skeleton), u64 length, bytes
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import enum
import json
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from nodetool_core.engine.caching.files_behind import mark_of
from nodetool_core.engine.caching.leaf_codec import LEAF_KINDS, leaf_kind, read_leaf, write_leaf
from nodetool_core.json_types import Json
from nodetool_core.node_base import SKIPPED
from nodetool_core.own_types import JsonValue, fields_of, with_fields
from nodetool_core.references import AssetRef, Reference
from nodetool_core.type_forms import forms_of

Buffer = bytes | bytearray | memoryview

INLINE_BYTES = 256
"""Byte strings up to this length stand in the skeleton, as base64."""

_LENGTH, _LONG = struct.Struct(">I"), struct.Struct(">Q")
_PLAIN = (str, bool, type(None), float)
_JSON_INT = 1 << 63
_DATES: dict[str, type[datetime.date | datetime.time]] = {
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
}


class NoCodecError(Exception):
    """A value can't be stored outside memory."""


class DecodeError(Exception):
    """
    An entry can't be turned into values here.

    A class or a library is missing, or a file it speaks of is another by now.
    """


@dataclass(frozen=True, slots=True)
class Encoded:
    """Values on their way to the disk."""

    skeleton: bytes
    leaves: list[tuple[str, object]]

    def payload(self) -> list[Buffer]:
        """Return the bytes, in parts. Raises NoCodecError where a leaf turns out to have none."""
        parts: list[Buffer] = [_LENGTH.pack(len(self.skeleton)), self.skeleton]
        for kind, value in self.leaves:
            written = write_leaf(kind, value)
            if written is None:
                raise NoCodecError(f"{kind} of {type(value).__name__}")
            about, content = written
            meta = _text(_Encoder(None).encode([kind, about]))
            size = memoryview(content).nbytes
            parts += [_LENGTH.pack(len(meta)), meta, _LONG.pack(size), content]
        return parts


def encode(values: tuple[object, ...]) -> Encoded:
    """Take what is needed of values to store them. Raises NoCodecError."""
    leaves: list[tuple[str, object]] = []
    encoder = _Encoder(leaves)
    try:
        return Encoded(_text([encoder.encode(value) for value in values]), leaves)
    except NoCodecError:
        raise
    except (
        Exception
    ) as error:  # values run code of their own (enums, references), are cyclic, or change meanwhile
        raise NoCodecError(f"{type(error).__name__}: {error}") from error


def decode(payload: memoryview) -> tuple[object, ...]:
    """Return the values. Raises DecodeError."""
    try:
        reader = _Reader(payload)
        skeleton = json.loads(reader.take(_LENGTH))
        leaves = []
        while reader.position < len(payload):
            meta = _Decoder([]).decode(json.loads(reader.take(_LENGTH)))
            if not isinstance(meta, list):
                raise DecodeError("a leaf does not say what it is")
            kind, about = meta
            leaves.append(read_leaf(kind, about, reader.view(_LONG)))
        decoder = _Decoder(leaves)
        return tuple(decoder.decode(item) for item in skeleton)
    except DecodeError:
        raise
    except Exception as error:  # whatever an entry holds, it can't fail a run
        raise DecodeError(f"{type(error).__name__}: {error}") from error


def _text(skeleton: Json) -> bytes:
    # Lone surrogates have no UTF-8, and JSON escapes would join two of them into one character.
    return json.dumps(skeleton, separators=(",", ":"), ensure_ascii=False).encode()


class _Reader:
    """Walks through a payload."""

    def __init__(self, payload: memoryview) -> None:
        self.position = 0
        self._payload = payload

    def view(self, length: struct.Struct) -> memoryview:
        start = self.position + length.size
        (size,) = length.unpack(self._payload[self.position : start])
        self.position = start + size
        if self.position > len(self._payload):
            raise DecodeError("ends too early")
        return self._payload[start : self.position]

    def take(self, length: struct.Struct) -> bytes:
        return bytes(self.view(length))


class _Encoder:
    """Makes a skeleton; puts the rest into `leaves`, or does without leaves where that is None."""

    def __init__(self, leaves: list[tuple[str, object]] | None) -> None:
        self._leaves = leaves
        self._known: dict[int, int] = {}

    def encode(self, value: object) -> Json:
        kind = type(value)
        if isinstance(value, _PLAIN) and kind in _PLAIN:
            return value
        if isinstance(value, list) and kind is list:
            return [self.encode(item) for item in value]
        special = _ENCODERS.get(kind)
        if special is not None:
            return special(self, value)
        leaf = leaf_kind(value) if self._leaves is not None else None
        if leaf is not None:
            return self.leaf(leaf, value)
        return self._of_class(value)

    def leaf(self, kind: str, value: object) -> Json:
        """Return a leaf's place. One object is one leaf, however often it occurs."""
        if self._leaves is None:
            raise NoCodecError(kind)
        number = self._known.get(id(value))
        if number is None:
            number = self._known[id(value)] = len(self._leaves)
            self._leaves.append((kind, value))
        return {"leaf": number}

    def integer(self, value: int) -> Json:
        return value if -_JSON_INT <= value < _JSON_INT else {"int": hex(value)}

    def byte_string(self, value: bytes) -> Json:
        if len(value) > INLINE_BYTES and self._leaves is not None:
            return self.leaf("bytes", value)
        return {"bytes": base64.b64encode(value).decode()}

    def mapping(self, value: dict[object, object]) -> Json:
        named = {name: item for name, item in value.items() if type(name) is str}
        if len(named) == len(value):
            return {"dict": {name: self.encode(item) for name, item in named.items()}}
        return {"pairs": [[self.encode(name), self.encode(item)] for name, item in value.items()]}

    def sequence(self, value: Iterable[object]) -> Json:
        return {type(value).__name__: [self.encode(item) for item in value]}

    def moment(self, value: datetime.date | datetime.time) -> Json:
        name, text = type(value).__name__, value.isoformat()
        again = _DATES[name].fromisoformat(text)
        # A time zone by name, or an hour that the clock shows twice, would come back as something
        # else.
        if repr(again) != repr(value):
            raise NoCodecError(f"{value!r}")
        return {name: text}

    def _of_class(self, value: object) -> Json:
        kind = type(value)
        name = f"{kind.__module__}:{kind.__qualname__}"
        if _loaded_class(name) is not kind:
            raise NoCodecError(name)
        if isinstance(value, enum.Enum) and type(value).__members__.get(value.name) is value:
            return {"enum": [name, value.name]}
        if isinstance(value, Reference):
            mark = mark_of(value) if isinstance(value, AssetRef) else None
            if mark == "unsure":
                raise NoCodecError(f"{value!r} depends on the folder that the run started from")
            return {"reference": [name, value.model_dump(mode="json"), mark]}
        if isinstance(value, JsonValue):
            return {"own": [name, self.encode(value.to_json())]}
        if (forms := forms_of(kind)) is not None:
            if forms.to_parts is not None:
                return {"parts": [name, self.encode(forms.to_parts(value))]}
            if forms.to_json is not None:
                return {"own": [name, self.encode(forms.to_json(value))]}
        if hasattr(value, "__pydantic_fields_set__"):
            return self._model(name, value)
        if (fields := fields_of(value)) is not None:
            return {"fields": [name, {field: self.encode(item) for field, item in fields.items()}]}
        if isinstance(value, tuple) and hasattr(kind, "_make"):
            return {"named": [name, [self.encode(item) for item in value]]}
        raise NoCodecError(name)

    def _model(self, name: str, model: Any) -> Json:
        """Return the form of a pydantic model, which is its fields and nothing besides."""
        bare = type(model).model_construct()
        if model.__pydantic_extra__ or model.__pydantic_private__ != bare.__pydantic_private__:
            raise NoCodecError(name)
        fields = {field: self.encode(item) for field, item in vars(model).items()}
        return {"model": [name, sorted(model.__pydantic_fields_set__), fields]}


_ENCODERS: dict[type[object], Callable[[_Encoder, Any], Json]] = {
    int: _Encoder.integer,
    bytes: _Encoder.byte_string,
    bytearray: lambda encoder, value: {"bytearray": encoder.byte_string(bytes(value))},
    dict: _Encoder.mapping,
    tuple: _Encoder.sequence,
    set: _Encoder.sequence,
    frozenset: _Encoder.sequence,
    complex: lambda _, value: {"complex": [value.real, value.imag]},
    datetime.datetime: _Encoder.moment,
    datetime.date: _Encoder.moment,
    datetime.time: _Encoder.moment,
    datetime.timedelta: lambda _, value: {
        "timedelta": [value.days, value.seconds, value.microseconds]
    },
    type(SKIPPED): lambda _, value: {"skipped": 0},
}


class _Decoder:
    """Reads a skeleton."""

    def __init__(self, leaves: list[object]) -> None:
        self._leaves = leaves

    def decode(self, item: Json) -> object:
        if isinstance(item, list):
            return self.items(item)
        if isinstance(item, dict):
            ((tag, content),) = item.items()
            return _DECODERS[tag](self, content)
        return item

    def items(self, content: list[Json]) -> list[object]:
        return [self.decode(part) for part in content]

    def byte_array(self, content: Json) -> object:
        value = self.decode(content)
        if not isinstance(value, bytes):
            raise DecodeError("a byte array holds something else")
        return bytearray(value)

    def leaf(self, number: int) -> object:
        return self._leaves[number]

    def named(self, content: list[Json]) -> object:
        kind = _class_of(content[0])
        if not hasattr(kind, "_make"):
            raise DecodeError(f"{content[0]} is no named tuple by now")
        return kind._make(self.decode(content[1]))

    def own(self, content: list[Json]) -> object:
        kind = _class_of(content[0])
        if issubclass(kind, JsonValue):
            return kind.from_json(self.decode(content[1]))
        forms = forms_of(kind)
        if forms is None or forms.from_json is None:
            raise DecodeError(f"{content[0]} has no JSON form")
        form: Any = self.decode(content[1])
        return forms.from_json(form)

    def parts(self, content: list[Json]) -> object:
        forms = forms_of(_class_of(content[0]))
        if forms is None or forms.from_parts is None:
            raise DecodeError(f"{content[0]} is made of no parts")
        return forms.from_parts(self.decode(content[1]))

    def model(self, content: tuple[str, list[str], dict[str, Json]]) -> object:
        name, given, fields = content
        kind: Any = _class_of(name)
        if getattr(kind, "__pydantic_fields__", {}).keys() != fields.keys():
            raise DecodeError(f"{name} has other fields by now")
        values = {field: self.decode(item) for field, item in fields.items()}
        return kind.model_construct(_fields_set=set(given), **values)

    def fields(self, content: list[Json]) -> object:
        name, fields = content
        kind = _class_of(name)
        if not isinstance(fields, dict):
            raise DecodeError(f"{name} has no fields")
        known = (
            {field.name for field in dataclasses.fields(kind)}
            if dataclasses.is_dataclass(kind)
            else None
        )
        if known != fields.keys():
            raise DecodeError(f"{name} has other fields by now")
        return with_fields(kind, {field: self.decode(item) for field, item in fields.items()})

    def member(self, content: list[Json]) -> object:
        kind = _class_of(content[0])
        if not issubclass(kind, enum.Enum):
            raise DecodeError(f"{content[0]} is no enum by now")
        return kind.__members__[str(content[1])]

    def reference(self, content: list[Json]) -> object:
        name, fields, mark = content
        kind = _class_of(name)
        if not issubclass(kind, Reference):
            raise DecodeError(f"{name} is no reference")
        value = kind.model_validate(fields)
        if mark is not None and not (isinstance(value, AssetRef) and mark_of(value) == mark):
            raise DecodeError(f"{value!r}: the file is another one by now")
        return value


def _from_text(
    kind: type[datetime.date | datetime.time],
) -> Callable[[_Decoder, str], object]:
    return lambda _, content: kind.fromisoformat(content)


_DECODERS: dict[str, Callable[[_Decoder, Any], object]] = {
    "leaf": _Decoder.leaf,
    "int": lambda _, content: int(content, 16),
    "bytes": lambda _, content: base64.b64decode(content, validate=True),
    "bytearray": _Decoder.byte_array,
    "dict": lambda decoder, content: {name: decoder.decode(item) for name, item in content.items()},
    "pairs": lambda decoder, content: {
        decoder.decode(name): decoder.decode(item) for name, item in content
    },
    "tuple": lambda decoder, content: tuple(decoder.items(content)),
    "set": lambda decoder, content: set(decoder.items(content)),
    "frozenset": lambda decoder, content: frozenset(decoder.items(content)),
    "complex": lambda _, content: complex(*content),
    "timedelta": lambda _, content: datetime.timedelta(*content),
    "skipped": lambda _, content: SKIPPED,
    "enum": _Decoder.member,
    "reference": _Decoder.reference,
    "named": _Decoder.named,
    "own": _Decoder.own,
    "parts": _Decoder.parts,
    "model": _Decoder.model,
    "fields": _Decoder.fields,
    **{name: _from_text(kind) for name, kind in _DATES.items()},
}


def _loaded_class(name: str) -> object:
    """
    Return a class by module and name, if its module is loaded; nothing is imported for an entry.
    """
    module, _, path = name.partition(":")
    found: object = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _class_of(name: Json) -> type[object]:
    kind = _loaded_class(str(name))
    if not isinstance(kind, type):
        raise DecodeError(f"{name} is not loaded")
    return kind


__all__ = ["LEAF_KINDS", "Buffer", "DecodeError", "Encoded", "NoCodecError", "decode", "encode"]
