"""What answers say, whatever they are."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.services.answers import failure_in, message_in, refusal, seconds_to_wait, state_in
from nodes.services.waiting import BusyError
from nodetool_core import NodeError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "status", "data", "detail", "estimated_time"]), inner
        )
    ),
    max_leaves=20,
)


@given(VALUES)
def test_any_json_is_read_without_a_fault(value: Any) -> None:
    body = json.dumps(value).encode()
    assert len(message_in(body)) <= 300 and "\n" not in message_in(body)
    assert failure_in(value) is None or isinstance(failure_in(value), str)
    assert isinstance(state_in(value), str)
    wait = seconds_to_wait({}, body)
    assert wait is None or 0 <= wait <= 1e9


@given(
    st.binary(max_size=300),
    st.text(alphabet=st.characters(codec="latin-1"), max_size=40),
    st.integers(400, 599),
)
def test_any_bytes_and_any_header_make_an_error(body: bytes, header: str, status: int) -> None:
    error = refusal("Service", status, {"retry-after": header}, body, secret="KEY")
    assert isinstance(error, BusyError if status in (429, 503) else NodeError)
    assert not isinstance(error, BusyError) or error.pause is None or math.isfinite(error.pause)


def test_a_deep_answer_is_no_fault() -> None:
    assert message_in(b'{"error":' * 400 + b"1" + b"}" * 400) == ""
    assert message_in(b"[" * 100_000) == "[" * 299 + "…"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"error": "one"}, "one"),
        ({"error": {"message": "inner", "code": 3}}, "inner"),
        ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        ({"error": "", "error_data": "the rest."}, "the rest"),
        ({"status": "FAILED"}, ""),
    ],
)
def test_where_services_say_what_is_wrong(value: Any, said: str) -> None:
    assert message_in(json.dumps(value).encode()) == said


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [("0", 0.0), ("2.5", 2.5), ("9" * 400, 1e9), ("soon", None), ("-3", None), ("", None)],
)
def test_retry_after(stated: str, seconds: float | None) -> None:
    assert seconds_to_wait({"retry-after": stated}) == seconds


def test_retry_after_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    found = seconds_to_wait({"retry-after": later})
    assert found is not None and 80 < found <= 90
    assert seconds_to_wait({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0.0


@pytest.mark.parametrize("status", ["FAILED", "failed", "Error", "canceled"])
def test_failures_of_queues(status: str) -> None:
    assert (
        failure_in({"status": status, "error": "why"})
        == failure_in({"data": {"status": status, "error": "why"}})
        == "why"
    )
    assert failure_in({"status": status}) == "it does not say why"


@pytest.mark.parametrize("status", ["COMPLETED", "succeeded", "IN_QUEUE", None, 3])
def test_no_failures(status: Any) -> None:
    assert failure_in({"status": status, "error": None}) is None
