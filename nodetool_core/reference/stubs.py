"""
Type stubs of modules with node classes: what the mypy plugin knows, for every other checker.

pyright and the editors that use it have no plugins, and read `.pyi` files instead. A stub is the
module's own source without the bodies of its functions, with the constructor, the properties and
the outputs of each node class written out as its declaration has them:

    class Scale(Node):
        def __init__(self, *, image: ImageRef | str | Feeds[ImageRef], …) -> None: ...
        image: ImageRef
        output: OutputHandle[ImageRef]
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from keyword import iskeyword
from pathlib import Path
from typing import Final, Literal, get_args, get_type_hints, is_typeddict

from nodetool_core.node_base import Node, Role
from nodetool_core.own_types import JsonValue
from nodetool_core.properties import Property
from nodetool_core.references import ModelRef, Reference
from nodetool_core.types import Annotation, is_assignable, origin_of, strip, union_members

_HANDLES: Final = "from nodetool_core.handles import Feeds, ListOf, OutputHandle"
_ANY: Final = "_typing.Any"
_ITEMS: Final[Mapping[object, tuple[str, str]]] = {
    list: ("ListOf", "ListOf"),
    tuple: ("tuple", "tuple"),
    Sequence: ("_collections_abc.Sequence", "_collections_abc.Sequence"),
    set: ("set", "_collections_abc.Set"),
    frozenset: ("frozenset", "frozenset"),
    Set: ("_collections_abc.Set", "_collections_abc.Set"),
}
"""Containers: what a value may be, and what an output may be of that feeds one."""


def write_stubs(modules: Iterable[types.ModuleType], folder: Path) -> list[Path]:
    """Write the stubs of modules, and of the packages they are in, below a folder."""
    names = {module.__name__ for module in modules}
    names |= {name[: dot.start()] for name in names for dot in re.finditer(r"\.", name)}
    written = []
    for module in (sys.modules[name] for name in sorted(names)):
        if module.__file__ is None:
            continue
        place = folder.joinpath(*module.__name__.split("."))
        path = place / "__init__.pyi" if hasattr(module, "__path__") else place.with_suffix(".pyi")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(stub_of(module), encoding="utf-8")
        written.append(path)
    return written


def stub_of(module: types.ModuleType) -> str:
    """Return the stub of a module, as text."""
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    spelling = _Spelling(module.__name__)
    body = [_statement(statement, module, spelling) for statement in tree.body]
    start = next(
        (
            number
            for number, statement in enumerate(tree.body)
            if not (isinstance(statement, ast.Expr | ast.ImportFrom) and _leads(statement))
        ),
        len(body),
    )
    imports = [f"import {name} as {alias}" for name, alias in sorted(spelling.modules.items())]
    return "\n".join([*body[:start], _HANDLES, *imports, *body[start:], ""])


def _leads(statement: ast.Expr | ast.ImportFrom) -> bool:
    """Return whether a statement has to stay in front: the docstring, a future import."""
    return isinstance(statement, ast.Expr) or statement.module == "__future__"


def _statement(statement: ast.stmt, module: types.ModuleType, spelling: _Spelling) -> str:
    name = getattr(statement, "name", None)
    found = vars(module).get(name) if isinstance(name, str) else None
    if isinstance(found, type) and issubclass(found, Node) and getattr(found, "spec", None):
        return _class(statement, found, spelling)
    return ast.unparse(_Bodiless().visit(statement))


class _Bodiless(ast.NodeTransformer):
    """Takes the bodies of functions away."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = [ast.Expr(ast.Constant(...))]
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        node.body = [ast.Expr(ast.Constant(...))]
        return node


def _class(statement: ast.stmt, node_class: type[Node], spelling: _Spelling) -> str:
    """Return the class of a node; one made of a function has no more than its declaration."""
    spec, own = node_class.spec, []
    bases = "_nodetool_core_node_base.Node"
    spelling.name_module("nodetool_core.node_base")
    if isinstance(statement, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in statement.bases)
        own = [
            ast.unparse(_Bodiless().visit(part))
            for part in statement.body
            if not isinstance(part, ast.AnnAssign | ast.Expr)
        ]
    usual = {
        name: prop
        for name, prop in spec.properties.items()
        if name.isidentifier() and not iskeyword(name)
    }
    parameters = [_parameter(prop, spelling) for prop in usual.values()]
    starred = ["*", *parameters] if parameters else []
    if node_class.dynamic or len(usual) < len(spec.properties):
        starred.append("**properties: object")
    lines = [
        repr(inspect.getdoc(node_class) or ""),
        *own,
        *(
            [f"def __init__({', '.join(['self', *starred])}) -> None: ..."]
            if node_class.__init__ is Node.__init__
            else []
        ),
        *(f"{name}: {spelling.of(prop.annotation)}" for name, prop in usual.items()),
        *(
            f"{name}: OutputHandle[{spelling.of(output.annotation)}]"
            for name, output in spec.outputs.items()
            if name not in usual
        ),
    ]
    outputs = list(spec.outputs.values())
    if len(outputs) == 1 and not _holds_references(outputs[0].annotation):
        lines.append(f"def run(self) -> {spelling.of(outputs[0].annotation)}: ...")
    if node_class.role is not Role.WORKFLOW:
        # What is neither an output nor an attribute is an error.
        lines.append("__getattr__: None  # type: ignore")
    body = "\n".join(lines).replace("\n", "\n    ")
    return f"class {node_class.__name__}({bases}):\n    {body}"


def _parameter(prop: Property, spelling: _Spelling) -> str:
    return f"{prop.name}: {spelling.taken(prop.annotation)}{'' if prop.required else ' = ...'}"


def _holds_references(annotation: Annotation) -> bool:
    """Return whether values may be references, of which runs give more than the type states."""
    parts = [annotation, *union_members(annotation), *get_args(annotation)]
    return any(isinstance(part, type) and issubclass(part, Reference) for part in parts)


class _Spelling:
    """Types as the text of one module's stub."""

    def __init__(self, module: str) -> None:
        self._module = module
        self.modules = {"typing": "_typing", "collections.abc": "_collections_abc"}
        """What the stub imports, and under which names."""

    def name_module(self, name: str) -> str:
        """Return what the stub calls a module."""
        return self.modules.setdefault(name, f"_{name.replace('.', '_')}")

    def of(self, annotation: Annotation) -> str:
        """Return a type as it is."""
        return self._spelled(annotation, self.of, 0, exact=True)

    def fitting(self, annotation: Annotation) -> str:
        """Return the type of outputs that may feed a type."""
        annotation = strip(annotation)
        if is_typeddict(annotation):
            return f"{self.of(annotation)} | dict[str, {_ANY}]"
        if isinstance(annotation, type) and issubclass(annotation, ModelRef):
            return self._name(ModelRef)
        return self._spelled(annotation, self.fitting, 1)

    def taken(self, annotation: Annotation) -> str:
        """Return what a property of a type takes: what is read as it, an output, or a node."""
        if strip(annotation) is typing.Any:
            return _ANY
        return f"{self._read(annotation)} | Feeds[{self.fitting(annotation)}]"

    def _read(self, annotation: Annotation) -> str:
        annotation = strip(annotation)
        if len(members := union_members(annotation)) > 1:
            return " | ".join(dict.fromkeys(self._read(member) for member in members))
        read = [self._spelled(annotation, self.taken, 0)]
        arguments = get_args(annotation)
        if origin_of(annotation) is list and arguments:
            # Tuples and ranges are read as lists too, but not where outputs are in them.
            read.append(f"tuple[{self.of(arguments[0])}, ...]")
            if is_assignable(int, arguments[0]):
                read.append("range")
        if isinstance(annotation, type):
            read += self._also_read(annotation)
        return " | ".join(read)

    def _also_read(self, kind: type) -> Iterable[str]:
        """Yield what else is read as a class."""
        if issubclass(kind, ModelRef):
            yield self._name(ModelRef)
        if issubclass(kind, Reference) and kind._text_field:
            yield "str"
        if issubclass(kind, JsonValue):
            form = list(get_type_hints(kind.from_json).items())[:1]
            yield from (self.of(of) for name, of in form if name != "return")

    def _spelled(
        self,
        annotation: Annotation,
        inner: Callable[[Annotation], str],
        use: int,
        *,
        exact: bool = False,
    ) -> str:
        """
        Return a type, with its arguments spelled by `inner`.

        Args:
            use: Which of the names in `_ITEMS` a container has.
            exact: Whether containers stay what they are.
        """
        annotation = strip(annotation)
        if annotation in (None, type(None)):
            return "None"
        if len(members := union_members(annotation)) > 1:
            return " | ".join(dict.fromkeys(inner(member) for member in members))
        origin, arguments = origin_of(annotation), get_args(annotation)
        if origin is Literal:
            return f"_typing.Literal[{', '.join(map(repr, arguments))}]"
        if origin is None:
            return self._name(annotation)
        spelled = ["..." if argument is Ellipsis else inner(argument) for argument in arguments]
        if origin in (dict, Mapping):
            name = "dict" if exact and origin is dict else "_collections_abc.Mapping"
            return f"{name}[{self.of(arguments[0])}, {spelled[1]}]"
        if origin in _ITEMS and not exact:
            return f"{_ITEMS[origin][use]}[{', '.join(spelled)}]"
        if not isinstance(origin, type):
            return _ANY
        return f"{self._name(origin)}[{', '.join(spelled)}]"

    def _name(self, kind: object) -> str:
        """Return a class by its name; Any for what has none that the stub can import."""
        if not isinstance(kind, type) or "<locals>" in kind.__qualname__:
            return _ANY
        if kind.__module__ in ("builtins", self._module):
            return kind.__qualname__
        if kind.__module__ not in sys.modules:
            return _ANY
        return f"{self.name_module(kind.__module__)}.{kind.__qualname__}"
