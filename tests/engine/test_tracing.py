"""Spans of runs and nodes, by the SDK of OpenTelemetry and its exporter in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from nodes.nodetool.control import Collect, ForEach
from nodes.nodetool.output import Output
from nodetool_core import Engine, Node, NodeError, RunError, Workflow
from nodetool_core.engine.events import RunFinished

EXPORTER = InMemorySpanExporter()


class Double(Node):
    """Doubles a number."""

    number: int = 1

    def process(self) -> int:
        if self.number < 0:
            raise NodeError("is negative.", code="negative")
        return 2 * self.number


@pytest.fixture(scope="module", autouse=True)
def provider() -> None:
    """Have the spans of this process kept; it may be set once."""
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(made)


@pytest.fixture
def engine() -> Iterator[Engine]:
    EXPORTER.clear()
    with Engine(tracing=True) as made:
        yield made


def spans() -> dict[str, ReadableSpan]:
    """Return what was exported, by name; of equal names the last."""
    return {span.name: span for span in EXPORTER.get_finished_spans()}


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def test_a_run_and_its_nodes_are_spans(engine: Engine) -> None:
    workflow = Workflow(Output(name="value", value=Double(number=3).output), engine=engine)
    heard: list[object] = []
    with trace.get_tracer("test").start_as_current_span("request") as request:
        workflow.run(on_event=heard.append)
    found = spans()
    run, node = found["nodetool run"], found["Double"]
    assert parent_of(run) == request.get_span_context().span_id
    assert run.context is not None and parent_of(node) == run.context.span_id
    assert node.attributes == {
        "nodetool.node_id": "double",
        "nodetool.node_type": "tests.engine.test_tracing.Double",
        "nodetool.item": (),
    }
    assert run.attributes is not None and run.attributes["nodetool.status"] == "completed"
    assert node.start_time is not None and node.end_time is not None
    assert run.start_time is not None and run.start_time <= node.end_time
    assert isinstance(heard[-1], RunFinished)


def test_a_cached_node_is_no_span(engine: Engine) -> None:
    workflow = Workflow(Output(name="value", value=Double(number=4).output), engine=engine)
    workflow.run()
    EXPORTER.clear()
    workflow.run()
    assert "Double" not in spans()
    assert [event.name for event in spans()["nodetool run"].events] == ["cached"]


def test_a_failure_is_the_status_of_its_spans(engine: Engine) -> None:
    workflow = Workflow(Output(name="value", value=Double(number=-1).output), engine=engine)
    with pytest.raises(RunError):
        workflow.run()
    found = spans()
    assert not found["Double"].status.is_ok and not found["nodetool run"].status.is_ok
    assert found["Double"].attributes is not None
    assert found["Double"].attributes["nodetool.problem"] == "negative"


def test_items_of_a_loop_are_spans_of_their_own(engine: Engine) -> None:
    doubled = Double(number=ForEach(input_list=[1, 2, 3]).output)
    workflow = Workflow(
        Output(name="list", value=Collect(input_item=doubled.output).output), engine=engine
    )
    workflow.run()
    items = [
        span.attributes["nodetool.item"]
        for span in EXPORTER.get_finished_spans()
        if span.name == "Double" and span.attributes is not None
    ]
    assert sorted(map(str, items)) == ["(0,)", "(1,)", "(2,)"]


def test_a_run_without_tracing_makes_no_span() -> None:
    EXPORTER.clear()
    with Engine() as plain:
        Workflow(Output(name="value", value=Double(number=9).output), engine=plain).run()
    assert EXPORTER.get_finished_spans() == ()
