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
- `node.output` is an `OutputHandle` of the type that the return annotation of `process` declares,
  as `declaration` reads it, and a name that is neither an output nor an attribute is an error;
- an output, and a node for its one output, has to have a type that fits (`types.is_assignable`, but
  that a `bool` passes for an `int` here);
- `node.run()` gives what the one output does.

Only mypy imports this module; nothing here is needed to run anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mypy.errorcodes import ARG_TYPE, ATTR_DEFINED
from mypy.expandtype import expand_type_by_instance
from mypy.messages import format_type_distinctly
from mypy.nodes import ARG_STAR2, AssignmentStmt, Decorator, FuncDef, NameExpr, TypeInfo
from mypy.plugin import (
    AttributeContext,
    ClassDefContext,
    FunctionContext,
    FunctionSigContext,
    MethodContext,
    Plugin,
)
from mypy.subtypes import is_subtype
from mypy.typeops import make_simplified_union
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

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        return self._check_nodes if self._is_node(fullname) else None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        owner, _, name = fullname.rpartition(".")
        return self._run if name == "run" and self._is_node(owner) else None

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

    def _check_nodes(self, context: FunctionContext) -> Type:
        """Check the nodes that are given for their one output."""
        made = get_proper_type(context.default_return_type)
        if not isinstance(made, Instance) or not _is_generated(made.type):
            return context.default_return_type
        for name, given, expressions in zip(
            context.callee_arg_names, context.arg_types, context.args, strict=True
        ):
            declared = made.type.get(name) if name else None
            if declared is None or declared.type is None:
                continue
            for type_, expression in zip(given, expressions, strict=True):
                if wrong := self._misfit(type_, declared.type):
                    message = f'Argument "{name}" to "{made.type.name}" {wrong}'
                    context.api.fail(message, expression, code=ARG_TYPE)
        return context.default_return_type

    def _misfit(self, given: Type, declared: Type) -> str:
        """Return why what is given is no node for a property; empty where it is one, or no node."""
        given = get_proper_type(given)
        if not isinstance(given, Instance) or not given.type.has_base(NODE):
            return ""
        outputs = _outputs(given.type)
        if outputs is None:
            return ""
        if len(outputs) != 1:
            names = f": {', '.join(outputs)}" if outputs else ""
            return f"is a node with {len(outputs)} outputs{names}"
        (output,) = outputs.values()
        if isinstance(get_proper_type(declared), AnyType) or is_subtype(
            output, self._fitting(declared)
        ):
            return ""
        found, expected = format_type_distinctly(output, declared, options=self.options)
        return f"is a node that gives {found}; expected {expected}"

    def _run(self, context: MethodContext) -> Type:
        """Return what a node gives that is run; of images, more is known than their type states."""
        types = [_outputs(owner) for owner in _classes(context.type)]
        if len(types) != 1 or types[0] is None or len(types[0]) > 1:
            return context.default_return_type
        output = next(iter(types[0].values()), NoneType())
        return context.default_return_type if self._holds_references(output) else output

    def _holds_references(self, type_: Type) -> bool:
        type_ = get_proper_type(type_)
        if isinstance(type_, Instance):
            return type_.type.has_base(REFERENCE) or any(map(self._holds_references, type_.args))
        parts = type_.items if isinstance(type_, UnionType | TupleType) else ()
        return any(map(self._holds_references, parts))

    def _taken(self, declared: Type) -> Type:
        """Return what may be given for a type: what is read as it, an output, or a node."""
        if isinstance(get_proper_type(declared), AnyType):
            return declared
        output = self._of(HANDLE, self._fitting(declared))
        return UnionType.make_union([self._read(declared), output, self._of(NODE)])

    def _fitting(self, declared: Type) -> Type:
        """Return the type of outputs that may feed a type: containers may be of a part of it."""
        declared = get_proper_type(declared)
        if isinstance(declared, UnionType):
            return UnionType.make_union([self._fitting(item) for item in declared.items])
        if isinstance(declared, TupleType) and not declared.partial_fallback.type.is_named_tuple:
            return declared.copy_modified(items=[self._fitting(item) for item in declared.items])
        if isinstance(declared, TypedDictType):
            anything = AnyType(TypeOfAny.special_form)
            named = self._of("builtins.dict", self._of("builtins.str"), anything)
            return UnionType.make_union([declared, named])
        if not isinstance(declared, Instance):
            return declared
        match declared.type.fullname, declared.args:
            case "builtins.list", (item,):
                return self._of(LIST, self._fitting(item))
            case "builtins.tuple" | "typing.Sequence", (item,):
                return declared.copy_modified(args=[self._fitting(item)])
            case "builtins.dict" | "typing.Mapping", (name, item):
                return self._of("typing.Mapping", name, self._fitting(item))
            case "builtins.set", (item,):
                return self._of("typing.AbstractSet", self._fitting(item))
        if declared.type.has_base(MODEL):
            return self._of(MODEL)
        return declared

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
        found: list[Type] = []
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
            found.append(AnyType(TypeOfAny.special_form) if outputs is None else outputs[name])
        return self._of(HANDLE, make_simplified_union(found))


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


def _outputs(info: TypeInfo) -> dict[str, Type] | None:
    """
    Return the outputs that a node class declares, with their types.

    None where its annotations don't state them.
    """
    process = _method_type(info, "process")
    if process is None:
        return None
    given = get_proper_type(process.ret_type)
    while isinstance(given, Instance) and given.type.fullname in _WRAPPERS:
        given = get_proper_type(given.args[_WRAPPERS[given.type.fullname]])
    if isinstance(given, NoneType):
        return {}
    if isinstance(given, TypedDictType):
        return dict(given.items)
    if isinstance(given, AnyType) and given.type_of_any != TypeOfAny.explicit:
        return None
    whole = given.partial_fallback if isinstance(given, TupleType) else given
    fields = _named_fields(whole.type) if isinstance(whole, Instance) else []
    if not fields:
        return {"output": given}
    return {name: _attribute(whole, name) for name in fields}


def _attribute(of: Type, name: str) -> Type:
    """Return the type of a field, with the arguments of its class put in place."""
    assert isinstance(of, Instance), "only classes have fields"
    found = of.type.get(name)
    if found is None or found.type is None:
        return AnyType(TypeOfAny.special_form)
    return expand_type_by_instance(found.type, of)


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
