"""
The state of a node's code in this process: its functions, and the values that they name.

From the class on, everything that its code can reach is described once, in the order in which it is
met: functions by their bytecode, defaults, closure cells and the globals that they name; classes by
what is in them; modules by the names that are used of them; data by content. Equal state has
equal digests in every process. What is a library's counts by its name; what belongs to a library's
function but is the user's (the function that a decorator wraps) is followed.

Some things have no content to be hashed: an open connection, a trained model, an object that holds
a lock. They count as themselves, and no other process has them. Loggers, locks and the like
can't influence a result and are left out, and so is what the code itself assigns with `global`: a
table that is loaded at first use.

Beside the digest there is a list of *watches*: what has to be the same for the digest to hold, each
checked in well under a microsecond.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import types
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.declaration import NodeSpec
from nodetool_core.engine.code_data import CONTAINERS, PLAIN, SILENT, DataState, text_of
from nodetool_core.engine.code_names import imported_by, names_in
from nodetool_core.engine.code_sources import (
    DIGEST_BYTES,
    ModuleSources,
    is_library_file,
)

if TYPE_CHECKING:
    from nodetool_core.node_base import Node

_DESCRIPTORS: Final = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)
_KINDS_OF_CODE: Final = 0xFFF
"""
The flags of code that state what it is, such as a generator.

Not what was imported from __future__ above it.
"""


class CodeState(DataState):
    """Everything that the code of some classes can reach, as it is now."""

    def __init__(self, sources: ModuleSources) -> None:
        super().__init__(sources)
        self.modules: set[str] = set()
        """Modules that are reached."""
        self.taken: dict[str, set[tuple[tuple[str, ...], frozenset[str]]]] = {}
        """
        What functions take from modules that they import by themselves, and the names that they
        use besides.
        """
        self._numbers: dict[int, int] = {}
        self._alive: list[object] = []
        """What has a number, so that no other object gets the same identity meanwhile."""
        self._pending: deque[object] = deque()

    def digest(self, root: object) -> bytes:
        """Return the digest of an object and of all that it leads to."""
        hasher = hashlib.blake2b(digest_size=DIGEST_BYTES)
        hasher.update(self._mention(root).encode("utf-8", "surrogatepass"))
        while self._pending:
            hasher.update(
                f"\n{self._describe(self._pending.popleft())}".encode("utf-8", "surrogatepass")
            )
        return hasher.digest()

    # -- mentioning: what stands where an object is met --------------------------------------------

    def _mention(self, value: object) -> str:
        kind = type(value)
        if kind in PLAIN:
            return repr(value)
        if id(value) in self._numbers:
            return f"#{self._numbers[id(value)]}"
        if kind.__module__ in SILENT:
            return "-"
        if isinstance(value, types.ModuleType):
            return self._module(value, frozenset())
        if isinstance(value, Part):
            return self._named(vars(value.module), frozenset(value.names), value.of_modules)
        if self._is_of_library(value):
            return f"<{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}>"
        self._numbers[id(value)] = len(self._numbers)
        self._alive.append(value)
        self._pending.append(value)
        return f"#{self._numbers[id(value)]}"

    def _module(
        self, module: types.ModuleType, names: frozenset[str], inside: tuple[str, ...] = ()
    ) -> str:
        """Return a module, with what is used of it."""
        name = module.__name__
        if not self._sources.is_followed(name) or name in inside:
            return f"<{name}>"
        self.modules.add(name)
        return f"<{name} {self._named(vars(module), names, names, (*inside, name))}>"

    def _named(
        self,
        namespace: Mapping[str, object],
        names: frozenset[str],
        of_modules: frozenset[str],
        inside: tuple[str, ...] = (),
    ) -> str:
        """
        Return what some names mean in a namespace, which is watched.

        Of modules among them, what other names mean in those.
        """
        present = sorted(names & namespace.keys())
        self._watch_names(namespace, present)
        parts = []
        for name in present:
            value = namespace[name]
            meaning = (
                self._module(value, of_modules, inside)
                if isinstance(value, types.ModuleType)
                else self._mention(value)
            )
            parts.append(f"{name}={meaning}")
        return "{" + ",".join(parts) + "}"

    def _is_of_library(self, value: object) -> bool:
        """Return whether a class or a function has no code that could be followed."""
        if isinstance(value, types.BuiltinFunctionType):
            return isinstance(value.__self__, types.ModuleType | types.NoneType | type)
        return isinstance(value, _DESCRIPTORS) or (
            isinstance(value, type) and not self._is_own_class(value)
        )

    def _describe(self, value: object) -> str:
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.CodeType):
            return self._code(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.CellType):
            return self._cell(value)
        try:
            return self._object(value)
        except Exception:  # noqa: BLE001 - the value is foreign: what goes wrong in looking at it shows that it can't be known
            return self._itself(value)

    def _function(self, function: types.FunctionType) -> str:
        code, defaults, keywords = function.__code__, function.__defaults__, function.__kwdefaults__
        self.watches.append(
            lambda: (
                function.__code__ is code
                and function.__defaults__ is defaults
                and function.__kwdefaults__ is keywords
            )
        )
        if is_library_file(code.co_filename):
            return self._library_function(function)
        self.modules.add(function.__module__ or "")
        names = names_in(code)
        for module, taken in imported_by(names, function.__globals__):
            self.modules.update([module, *(f"{module}.{name}" for name in taken)])
            self.taken.setdefault(module, set()).add(
                (taken or tuple(sorted(names.every)), names.every)
            )
        parts = [
            self._code(code),
            self._mention(defaults),
            self._mention(keywords),
            self._mention(vars(function)),
        ]
        parts.append(self._mentions(function.__closure__ or ()))
        parts.append(self._named(function.__globals__, names.globals, names.every))
        return f"function {' '.join(parts)}"

    def _library_function(self, function: types.FunctionType) -> str:
        """Return a function of a library, with what of the user's it holds, as a decorator does."""
        held = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        users = [one for one in [*held, vars(function).get("__wrapped__")] if self._is_users(one)]
        return f"library {function.__module__}.{function.__qualname__} {self._mentions(users)}"

    def _is_users(self, value: object) -> bool:
        """
        Return whether what a library's function holds was given to it.

        A plain value, a class, a function, and containers of these.
        """
        if isinstance(value, types.FunctionType):
            return (
                not is_library_file(value.__code__.co_filename)
                or value.__closure__ is not None
                or "__wrapped__" in vars(value)
            )
        if isinstance(value, CONTAINERS):
            return all(
                map(
                    self._is_users,
                    [*value, *value.values()] if isinstance(value, Mapping) else value,
                )
            )
        return type(value) in PLAIN or isinstance(value, type)

    def _code(self, code: types.CodeType) -> str:
        constants = [self._constant(one) for one in code.co_consts]
        variables = (
            code.co_varnames,
            code.co_freevars,
            code.co_cellvars,
            code.co_flags & _KINDS_OF_CODE,
            code.co_argcount,
        )
        return repr((code.co_code, code.co_exceptiontable, code.co_names, variables, constants))

    def _constant(self, value: object) -> str:
        if isinstance(value, types.CodeType):
            return self._code(value)
        if isinstance(value, frozenset):
            return f"{{{sorted(map(self._constant, value))}}}"
        if isinstance(value, tuple):
            return f"({[self._constant(item) for item in value]})"
        return repr(value)

    def _cell(self, cell: types.CellType) -> str:
        if not _is_filled(cell):
            self.watches.append(lambda: not _is_filled(cell))
            return "empty"
        content = cell.cell_contents
        self.watches.append(lambda: _is_filled(cell) and cell.cell_contents is content)
        return f"cell {self._mention(content)}"

    def _class(self, cls: type[object]) -> str:
        self.modules.add(cls.__module__)
        self._watch_items(vars(cls))
        members: Mapping[str, object] = vars(cls)
        if issubclass(cls, enum.Enum):
            own = {
                name: value
                for name, value in members.items()
                if isinstance(value, types.FunctionType | property)
            }
            members = own | {name: member.value for name, member in cls.__members__.items()}
        if isinstance(members.get("spec"), NodeSpec):
            # What it returns is part of the key by itself.
            members = {name: value for name, value in members.items() if name != "fingerprint"}
        parts = [
            f"{name}={self._member(value)}"
            for name, value in sorted(members.items())
            if _counts(name, value)
        ]
        return (
            f"class {self._mentions(cls.__bases__)} {{{','.join(parts)}}}"
            f" {self._declared(vars(cls).get('spec'))}"
        )

    def _member(self, value: object) -> str:
        if isinstance(value, staticmethod | classmethod):
            return self._mention(value.__func__)
        if isinstance(value, property):
            return self._mentions((value.fget, value.fset))
        if isinstance(value, functools.cached_property):
            return self._mention(value.func)
        return self._mention(value)

    def _declared(self, spec: object) -> str:
        """Return what a node class declares, which need not stand in its source."""
        properties = getattr(spec, "properties", {})
        outputs = getattr(spec, "outputs", {})
        parts = []
        for name, prop in properties.items():
            default = "" if prop.required else self._mention(prop.default)
            parts.append(f"{name}:{text_of(prop.annotation)}={default}")
        declared = [f"{name}:{text_of(output.annotation)}" for name, output in outputs.items()]
        return f"{parts} {declared}"


@dataclass(frozen=True, slots=True)
class Part:
    """What some names mean in a module; of modules among them, what other names mean in those."""

    module: types.ModuleType
    names: tuple[str, ...]
    of_modules: frozenset[str]


def _counts(name: str, value: object) -> bool:
    """Return whether a name in a class is part of what it does; its bookkeeping is not."""
    if (
        isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType)
        or type(value).__name__ == "_tuplegetter"
        or name.startswith("_abc_")
    ):
        return False
    is_special = name.startswith("__") and name.endswith("__")
    return not isinstance(value, NodeSpec) and (
        not is_special
        or isinstance(value, types.FunctionType | staticmethod | classmethod | property)
    )


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is cell.cell_contents
    except ValueError:
        return False


def state_of(node_class: type[Node], sources: ModuleSources) -> tuple[bytes, CodeState]:
    """Return the digest of what a class's code can reach, and what was met on the way."""
    state = CodeState(sources)
    return state.digest(node_class), state
