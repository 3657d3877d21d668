"""
An example for every node: a complete small workflow, made from the declaration.

The node stands between an input (the shipped image, where it takes one) and an output; a node that
is itself an input, an output, a sink or a comment stands where it belongs. One list of steps is
written twice, as a file and as Python, from one source.
"""

from __future__ import annotations

import builtins
import json
import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from nodetool_core.declaration import NodeSpec, public_module
from nodetool_core.node_base import Lane, Node, Role
from nodetool_core.properties import Property
from nodetool_core.reference import values
from nodetool_core.reference.names import snake_case
from nodetool_core.references import ImageRef, ModelRef
from nodetool_core.specialized import SpecializedNode
from nodetool_core.types import is_assignable, union_members

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

_LINE = 100
FILE = "example.json"
"""What an example's file is called where its Python names it."""

_NEEDS = {Lane.NETWORK: "the service that it calls"}

_ANY_VALUES = {
    Role.OUTPUT: values.IMAGE,
    Role.SINK: values.IMAGE,
    Role.COMMENT: "The prompt names the season.",
}


@dataclass(frozen=True)
class Link:
    """An output of an earlier step."""

    step: Step
    output: str


@dataclass(frozen=True, eq=False)
class Step:
    """One node of an example."""

    id: str
    node_class: type[Node]
    given: dict[str, Any]

    @property
    def spec(self) -> NodeSpec:
        return self.node_class.spec

    @property
    def variable(self) -> str:
        """The id as a Python variable that hides no keyword and no builtin."""
        return (
            f"{self.id}_" if keyword.iskeyword(self.id) or hasattr(builtins, self.id) else self.id
        )


@dataclass(frozen=True)
class Example:
    """A small workflow."""

    steps: tuple[Step, ...]
    results: dict[str, str]
    """How each output of the workflow is shown: `image`, `images` or `value`."""
    needs: str = ""
    """
    What a run needs that this machine may not have, such as a network.

    Empty where it runs anywhere.
    """

    @property
    def gives_image(self) -> bool:
        """Whether running it here results in an image."""
        return not self.needs and any(kind != "value" for kind in self.results.values())

    def to_json(self) -> str:
        """Return the workflow as a file."""
        nodes: list[dict[str, Any]] = []
        edges: list[dict[str, str]] = []
        for step in self.steps:
            plain = {
                name: value for name, value in step.given.items() if not isinstance(value, Link)
            }
            declared = {
                name: value for name, value in plain.items() if name in step.spec.properties
            }
            node: dict[str, Any] = {
                "id": step.id,
                "type": step.spec.node_type,
                "data": _json_form(step, declared),
            }
            if len(declared) < len(plain):
                node["dynamic_properties"] = {
                    name: value for name, value in plain.items() if name not in declared
                }
            nodes.append(node)
            edges.extend(
                {
                    "source": link.step.id,
                    "sourceHandle": link.output,
                    "target": step.id,
                    "targetHandle": name,
                }
                for name, link in step.given.items()
                if isinstance(link, Link)
            )
        lists = [
            f'    "{name}": [\n{_lines(records)}\n    ]'
            for name, records in (("nodes", nodes), ("edges", edges))
            if records
        ]
        return "\n".join(
            ["{", '  "schema_version": 1,', '  "graph": {', ",\n".join(lists), "  }", "}"]
        )

    def to_python(self) -> str:
        """
        Return the workflow as a program.

        Built, or loaded from the file where only the file states which outputs there are.
        """
        links = [
            value for step in self.steps for value in step.given.values() if isinstance(value, Link)
        ]
        if any(link.output not in link.step.spec.outputs for link in links):
            lines = [
                "from nodetool_core import Workflow",
                "",
                f'workflow = Workflow.load("{FILE}")  # the file above',
                "",
            ]
        else:
            lines = self._built()
        lines.append("result = workflow.run()" if self.results else "workflow.run()")
        for name, kind in self.results.items():
            lines += _SHOWN[kind](f'result["{name}"]', name)
        return "\n".join(lines)

    def _built(self) -> list[str]:
        imports = sorted(
            {
                f"from {public_module(step.node_class)} import {step.spec.title}"
                for step in self.steps
            }
        )
        *before, last = [step for step in self.steps if step.node_class.role is not Role.COMMENT]
        comments = [step for step in self.steps if step.node_class.role is Role.COMMENT]
        lines = [*imports, "from nodetool_core import Workflow", ""]
        lines += [f"{step.variable} = {_call(step)}" for step in [*before, *comments]]
        wanted = ", ".join([_call(last), *(step.variable for step in comments)])
        return [*lines, f"workflow = Workflow({wanted})", ""]


_SHOWN = {
    "image": lambda value, name: [f'{value}.save("{name}.png")'],
    "images": lambda value, name: [
        f"for number, image in enumerate({value}):",
        f'    image.save(f"{name}_{{number}}.png")',
    ],
    "value": lambda value, name: [f"print({value})"],
}


def example(node_class: type[Node], registry: Registry) -> Example:
    """Return the example of a node. Needs the input and output nodes of the built-in pack."""
    if issubclass(node_class, SpecializedNode):
        node_class = node_class.specialized(node_class.deciding(node_class.example, "example"))
    built = _Builder(node_class, registry).build()
    return replace(built, needs=_NEEDS.get(node_class.lane, "") or _fetched(node_class, registry))


def _fetched(node_class: type[Node], registry: Registry) -> str:
    """
    Return the model that a node fetches where none is set.

    Empty where it needs none, or one that ships.
    """
    defaults = [
        prop.default
        for prop in node_class.spec.properties.values()
        if isinstance(prop.default, ModelRef)
    ]
    if issubclass(node_class, SpecializedNode):
        stated = node_class.deciding(node_class.example, "example").values()
        defaults += [one for one in stated if isinstance(one, ModelRef)]
    names = [
        ref.repo_id
        for ref in defaults
        if not ref.is_empty() and ref.repo_id not in registry.weights()
    ]
    return f"{names[0]}, which is fetched when it is first used" if names else ""


def _stated(node_class: type[Node]) -> Mapping[str, object]:
    """Return the values that a class states for its example."""
    return node_class.example if issubclass(node_class, SpecializedNode) else {}


class _Builder:
    def __init__(self, node_class: type[Node], registry: Registry) -> None:
        self.node_class = node_class
        self.registry = registry
        self.steps: list[Step] = []

    def build(self) -> Example:
        role = self.node_class.role
        if role is Role.COMMENT:
            link = self._image()
            self._add(self.node_class, self._given())
            return self._with_output(Link(link.step, link.output), "image")
        if role is Role.WORKFLOW:
            step = self._add(
                self.node_class, {"path": values.SAMPLE_WORKFLOW, "image": self._image()}
            )
            return self._with_output(Link(step, "image"), "image")
        step = self._add(self.node_class, self._given())
        if role is Role.OUTPUT:
            return Example(tuple(self.steps), {step.given.get("name", step.id): "image"})
        if role is Role.SINK or not step.spec.outputs:
            return Example(tuple(self.steps), {})
        name = next(iter(step.spec.outputs))
        if step.spec.carries and (end := self._beside(lambda node: node.carries)):
            taken = _Builder(end, self.registry)._gathered()[0]
            step = self._add(end, {taken: Link(step, name)})
            name = next(iter(step.spec.outputs))
        name = next((one for one in step.spec.outputs if _kind(step.spec, one) == "image"), name)
        return self._with_output(Link(step, name), _kind(step.spec, name))

    def _with_output(self, link: Link, kind: str) -> Example:
        name = {"image": "image", "images": "images"}.get(
            kind, "result" if link.output == "output" else link.output
        )
        self._add(self._output(), {"name": name, "value": link})
        return Example(tuple(self.steps), {name: kind})

    def _given(self) -> dict[str, object]:
        spec, role = self.node_class.spec, self.node_class.role
        given: dict[str, Any] = {}
        stated = _stated(self.node_class)
        for prop in spec.properties.values():
            if prop.name in stated:
                given[prop.name] = stated[prop.name]
                continue
            if prop.name == "name" and role in (Role.INPUT, Role.OUTPUT):
                given["name"] = (
                    "image"
                    if role is Role.OUTPUT
                    else snake_case(spec.title.removesuffix("Input") or "input")
                )
                continue
            if prop.name == next(iter(self._gathered()), "") and (loop := self._loop()):
                items = {next(iter(loop.spec.properties)): list(values.WORDS)}
                given[prop.name] = Link(self._add(loop, items), next(iter(loop.spec.outputs)))
                continue
            if prop.required and (maker := self._maker(prop)):
                given[prop.name] = maker
                continue
            value = values.sample(prop, spec, _ANY_VALUES.get(role, values.PARTS))
            if value is values.IMAGE:
                value = self._own_image() if self._is_source() else self._image()
            if value is not values.NOTHING:
                given[prop.name] = value
        return given | (self._dynamic() if self.node_class.dynamic else {})

    def _gathered(self) -> list[str]:
        """Return the properties that take what a loop gives, as they are declared."""
        return [name for name in self.node_class.spec.properties if name in self.node_class.gathers]

    def _loop(self) -> type[Node] | None:
        """Return the node that begins the loop that this one ends."""
        if self.node_class.carries:
            return self._beside(lambda node: node.spec.carries)
        return self.registry.loop_node()

    def _beside(self, fits: Callable[[type[Node]], bool]) -> type[Node] | None:
        """Return the first such node of the same namespace."""
        namespace = self.node_class.spec.namespace
        return next(
            (node for node in self.registry if node.spec.namespace == namespace and fits(node)),
            None,
        )

    def _maker(self, prop: Property) -> Link | None:
        """
        Return a node whose output no file can hold, such as latents.

        The first whose first output is of that type.
        """
        kind = union_members(prop.annotation)[0]
        if not (isinstance(kind, type) and issubclass(kind, tuple)):
            return None
        maker = next(
            (
                node
                for node in self.registry
                if next(iter(node.spec.outputs.values()), prop).annotation is kind
            ),
            None,
        )
        if maker is None:
            return None
        step = self._add(maker, self._for(maker)._given())
        return Link(step, next(iter(maker.spec.outputs)))

    def _for(self, node_class: type[Node]) -> _Builder:
        """Return a builder of another node's step in the same example."""
        builder = _Builder(node_class, self.registry)
        builder.steps = self.steps
        return builder

    def _is_source(self) -> bool:
        """
        Return whether the node itself brings an image into the workflow: an input, or a constant.
        """
        return self.node_class.role is Role.INPUT or list(self.node_class.spec.properties) == [
            "value"
        ]

    def _own_image(self) -> dict[str, str]:
        is_masked = values.needs_mask(self.node_class.spec)
        uri = values.MASKED_IMAGE if is_masked else values.SAMPLE_IMAGE
        return {"type": "image", "uri": uri}

    def _dynamic(self) -> dict[str, object]:
        """
        Return the values under names of the user's choice.

        Images where images come out, numbers for nodes about numbers, else the parts of the sample
        template.
        """
        outputs = self.node_class.spec.outputs
        if any(_kind(self.node_class.spec, name) != "value" for name in outputs):
            image = self._image()
            return {"first": image, "second": image}
        if "number" in self.node_class.spec.tags:
            return dict(values.NUMBERS)
        season = self._add(self._input(str), {"name": "season", "value": values.PARTS["season"]})
        return {"subject": values.PARTS["subject"], "season": Link(season, "output")}

    def _image(self) -> Link:
        source = self._input(ImageRef)
        found = next((step for step in self.steps if step.node_class is source), None)
        step = found or self._add(source, {"name": "image", "value": self._own_image()})
        return Link(step, "output")

    def _add(self, node_class: type[Node], given: Mapping[str, object]) -> Step:
        same = sum(step.node_class.spec.title == node_class.spec.title for step in self.steps)
        name = snake_case(node_class.spec.title)
        step = Step(f"{name}_{same + 1}" if same else name, node_class, dict(given))
        self.steps.append(step)
        return step

    def _input(self, kind: type) -> type[Node]:
        found = self.registry.input_node(kind)
        if found is None:
            raise LookupError(f"Examples need an input of {kind.__name__}, which no pack has.")
        return found

    def _output(self) -> type[Node]:
        found = self.registry.output_node()
        if found is None:
            raise LookupError("Examples need an output, which no pack has.")
        return found


def _kind(spec: NodeSpec, output: str) -> str:
    """Return how an output is shown."""
    annotation = spec.outputs[output].annotation
    if is_assignable(annotation, ImageRef) and annotation is not Any:
        return "images" if spec.streams else "image"
    is_list = (
        annotation is not Any
        and is_assignable(annotation, list[ImageRef])
        and get_args(annotation) not in ((), (Any,))
    )
    return "images" if is_list else "value"


def _lines(records: Iterable[Mapping[str, object]]) -> str:
    """Return the records of a list in JSON, a line each."""
    return ",\n".join(f"      {json.dumps(record, ensure_ascii=False)}" for record in records)


def _json_form(step: Step, given: dict[str, object]) -> dict[str, object]:
    return {name: step.spec.properties[name].to_json(value) for name, value in given.items()}


def _call(step: Step) -> str:
    arguments = [f"{name}={_python(value)}" for name, value in step.given.items()]
    line = f"{step.spec.title}({', '.join(arguments)})"
    return line if len(line) <= _LINE else f"{step.spec.title}(\n{_indented(arguments)})"


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"    {line},\n" for line in lines)


def _python(value: object) -> str:
    if isinstance(value, Link):
        clashes = value.output in value.step.spec.properties
        return (
            f'{value.step.variable}["{value.output}"]'
            if clashes
            else f"{value.step.variable}.{value.output}"
        )
    if isinstance(value, dict) and "type" in value and len(value) == 2:
        return _python(next(item for name, item in value.items() if name != "type"))
    if isinstance(value, list):
        return f"[{', '.join(_python(item) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_python(name)}: {_python(item)}" for name, item in value.items())
            + "}"
        )
    return repr(value)
