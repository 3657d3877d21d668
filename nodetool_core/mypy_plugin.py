"""
A plugin for mypy: what node classes take and return, which annotations alone can't express.

    [tool.mypy]
    plugins = ["nodetool_core.mypy_plugin"]

mypy derives the constructor of a node class from its annotations (`dataclass_transform`): names,
and one type each. Here

- a parameter also takes an output, a node for its one output, and what is read as its type: a text
  for a reference, such as a path for an image; lists, tuples and mappings take these inside of
  them;
- a class with `dynamic = True` takes parameters of any name;
- `node.output` is an `OutputHandle`, and a name that is neither an output nor an attribute is an
  error. Outputs are those that the return annotation of `process` declares, as `declaration` reads
  it.

Only mypy imports this module; nothing here is needed to run anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mypy.errorcodes import ATTR_DEFINED
from mypy.nodes import ARG_STAR2, AssignmentStmt, Decorator, FuncDef, NameExpr, TypeInfo
from mypy.plugin import AttributeContext, ClassDefContext, FunctionSigContext, Plugin
from mypy.subtypes import is_subtype
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    TupleType,
    Type,
    TypedDictType,
    TypeOfAny,
    TypeVarType,
    UnionType,
    get_proper_type,
)

from nodetool_core.errors import near_miss

NODE = "nodetool_core.node_base.Node"
HANDLE = "nodetool_core.handles.OutputHandle"
LIST = "nodetool_core.handles.ListOf"
REFERENCE = "nodetool_core.references.Reference"
MODEL = "nodetool_core.references.ModelRef"
JSON_VALUE = "nodetool_core.own_types.JsonValue"

_METADATA = "nodetool"
"""Where mypy keeps, with a class in its cache, what only the class's body states."""
_WRAPPERS = {
    "typing.Coroutine": -1,
    "typing.Iterator": 0,
    "typing.Iterable": 0,
    "typing.Generator": 0,
    "typing.AsyncIterator": 0,
    "typing.AsyncGenerator": 0,
}
"""What `process` may return around its outputs, and which argument of the type has them."""


def plugin(version: str) -> type[Plugin]:
    """Return the plugin's class; mypy calls this."""
    return NodePlugin


class NodePlugin(Plugin):
    """Types of constructors and outputs of node classes."""

    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        return _note_dynamic if self._is_node(fullname) else None

    def get_function_signature_hook(
        self, fullname: str
    ) -> Callable[[FunctionSigContext], CallableType] | None:
        return self._constructor if self._is_node(fullname) else None

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        base, _, name = fullname.rpartition(".")
        # Also called for what the base class has itself, and by mypy for special methods that the
        # class need not have.
        if base != NODE or name.startswith("__") or self._class(NODE).get(name) is not None:
            return None
        return lambda context: self._output(name, context)

    def _is_node(self, fullname: str) -> bool:
        found = self.lookup_fully_qualified(fullname)
        return found is not None and isinstance(found.node, TypeInfo) and found.node.has_base(NODE)

    def _class(self, fullname: str) -> TypeInfo:
        found = self.lookup_fully_qualified(fullname)
        assert found is not None and isinstance(found.node, TypeInfo), (
            f"{fullname} is imported by {NODE}, or built in"
        )
        return found.node

    def _of(self, fullname: str, *arguments: Type) -> Instance:
        return Instance(self._class(fullname), list(arguments))

    def _constructor(self, context: FunctionSigContext) -> CallableType:
        signature = context.default_signature
        result = get_proper_type(signature.ret_type)
        if not isinstance(result, Instance) or not _is_generated(result.type):
            return signature
        types = [self._taken(type_) for type_ in signature.arg_types]
        if not _is_dynamic(result.type):
            return signature.copy_modified(arg_types=types)
        return signature.copy_modified(
            arg_types=[*types, self._of("builtins.object")],
            arg_kinds=[*signature.arg_kinds, ARG_STAR2],
            arg_names=[*signature.arg_names, "properties"],
        )

    def _taken(self, declared: Type) -> Type:
        """Return what may be given for a type: what is read as it, an output, or a node."""
        if isinstance(get_proper_type(declared), AnyType):
            return declared
        return UnionType.make_union([self._read(declared), self._of(HANDLE), self._of(NODE)])

    def _read(self, declared: Type) -> Type:
        """Return what is read as a type, also inside of containers."""
        declared = get_proper_type(declared)
        if isinstance(declared, UnionType):
            return UnionType.make_union([self._read(item) for item in declared.items])
        if isinstance(declared, TupleType) and not declared.partial_fallback.type.is_named_tuple:
            return declared.copy_modified(items=[self._taken(item) for item in declared.items])
        if not isinstance(declared, Instance):
            return declared
        match declared.type.fullname, declared.args:
            case "builtins.list", (item,):
                # Tuples and ranges are read as lists too, but not where outputs are in them.
                ranges = (
                    [self._of("builtins.range")]
                    if is_subtype(self._of("builtins.int"), item)
                    else []
                )
                return UnionType.make_union(
                    [self._of(LIST, self._taken(item)), self._of("builtins.tuple", item), *ranges]
                )
            case "builtins.tuple" | "typing.Sequence", (item,):
                return declared.copy_modified(args=[self._taken(item)])
            case "builtins.dict" | "typing.Mapping", (name, item):
                return self._of("typing.Mapping", name, self._taken(item))
        return UnionType.make_union([declared, *self._also_read(declared.type)])

    def _also_read(self, kind: TypeInfo) -> Iterable[Type]:
        """
        Yield what else is read as a class: the JSON form of a pack's own, the text of a reference.
        """
        # Weights of every kind can be given where a model is expected.
        if kind.has_base(MODEL):
            yield self._of(MODEL)
        text_form = kind.get("_text_field")
        if (
            kind.has_base(REFERENCE)
            and text_form is not None
            and text_form.fullname != f"{REFERENCE}._text_field"
        ):
            yield self._of("builtins.str")
        if kind.has_base(JSON_VALUE) and (reader := _method_type(kind, "from_json")) is not None:
            yield reader.arg_types[-1]

    def _output(self, name: str, context: AttributeContext) -> Type:
        for owner in _classes(context.type):
            outputs = _outputs(owner) if owner.has_base(NODE) else None
            if outputs is not None and name not in outputs:
                hint = (
                    near_miss(name, [*outputs, *_properties(owner)])
                    or f"Its outputs: {', '.join(outputs) or 'none'}."
                )
                message = f'"{owner.name}" has no output or attribute "{name}". {hint}'
                context.api.fail(message, context.context, code=ATTR_DEFINED)
                return AnyType(TypeOfAny.from_error)
        return self._of(HANDLE)


def _classes(type_: Type) -> Iterable[TypeInfo]:
    """Yield the classes that a value of a type may be of, as far as mypy knows them."""
    type_ = get_proper_type(type_)
    if isinstance(type_, Instance):
        yield type_.type
    elif isinstance(type_, TypeVarType):
        yield from _classes(type_.upper_bound)
    elif isinstance(type_, UnionType):
        for item in type_.items:
            yield from _classes(item)


def _note_dynamic(context: ClassDefContext) -> None:
    """
    Note whether a class sets `dynamic = True`.

    Of classes out of mypy's cache, there is no body to look at.
    """
    for statement in context.cls.defs.body:
        if isinstance(statement, AssignmentStmt) and any(
            _is_name(target, "dynamic") for target in statement.lvalues
        ):
            context.cls.info.metadata[_METADATA] = {"dynamic": _is_name(statement.rvalue, "True")}


def _is_name(expression: object, name: str) -> bool:
    return isinstance(expression, NameExpr) and expression.name == name


def _is_dynamic(info: TypeInfo) -> bool:
    return next(
        (
            bool(base.metadata[_METADATA]["dynamic"])
            for base in info.mro
            if _METADATA in base.metadata
        ),
        False,
    )


def _is_generated(info: TypeInfo) -> bool:
    """Return whether the constructor is made from the annotations, and not written by hand."""
    constructor = info.get("__init__")
    return constructor is not None and constructor.plugin_generated


def _method_type(info: TypeInfo, name: str) -> CallableType | None:
    """
    Return the signature that a method is written with, below its decorators.

    None where there is no such method.
    """
    found = info.get(name)
    method = found.node if found is not None else None
    function = method.func if isinstance(method, Decorator) else method
    signature = get_proper_type(function.type) if isinstance(function, FuncDef) else None
    return signature if isinstance(signature, CallableType) else None


def _outputs(info: TypeInfo) -> list[str] | None:
    """
    Return the names of the outputs that a node class declares.

    None where its annotations don't state them.
    """
    process = _method_type(info, "process")
    if process is None:
        return None
    given = get_proper_type(process.ret_type)
    while isinstance(given, Instance) and given.type.fullname in _WRAPPERS:
        given = get_proper_type(given.args[_WRAPPERS[given.type.fullname]])
    if isinstance(given, NoneType):
        return []
    if isinstance(given, TypedDictType):
        return list(given.items)
    if isinstance(given, AnyType) and given.type_of_any != TypeOfAny.explicit:
        return None
    kind = (
        given.partial_fallback.type
        if isinstance(given, TupleType)
        else given.type
        if isinstance(given, Instance)
        else None
    )
    return (_named_fields(kind) if kind is not None else []) or ["output"]


def _named_fields(kind: TypeInfo) -> list[str]:
    """Return the names of the fields of a named tuple or a dataclass; none for any other class."""
    for base in kind.mro:
        if "namedtuple" in base.metadata:
            return list(base.metadata["namedtuple"]["fields"])
        if "dataclass" in base.metadata:
            return _properties(base) if _is_dataclass(base) else []
    return []


def _is_dataclass(kind: TypeInfo) -> bool:
    """Return whether a class is one of `dataclasses`, and not, for instance, a pydantic model."""
    found = kind.get("__dataclass_fields__")
    fields = get_proper_type(found.type) if found is not None else None
    field = get_proper_type(fields.args[-1]) if isinstance(fields, Instance) else None
    return isinstance(field, Instance) and field.type.fullname == "dataclasses.Field"


def _properties(kind: TypeInfo) -> list[str]:
    """Return the names of the parameters that mypy derives from a class's annotations."""
    return [
        field["name"]
        for field in kind.metadata.get("dataclass", {}).get("attributes", [])
        if not field["is_init_var"]
    ]
