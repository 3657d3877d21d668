"""Services that misbehave: every call ends in time with a helpful error, and is paid for once."""

from __future__ import annotations

import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from nodes.huggingface.inference import ImageToImage
from nodetool_core import RunCancelled
from tests.nodes.services import fakes
from tests.nodes.services.conftest import Runs
from tests.nodes.services.fakes import Answer, Services, image_bytes, json_answer

HTML = b"<!doctype html><html><head><title>Bad gateway</title></head><body>sorry</body></html>"


def bomb(side: int) -> bytes:
    """
    Return a PNG of white pixels whose header promises more of them than anybody wants to decode.
    """

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\xff" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def endpoint(services: Services) -> Callable[..., str]:
    def answers(*given: Any) -> str:
        services.route(f"127.0.0.1:{services.port}", "POST", "/", *given)
        return services.url + "/"

    return answers


@pytest.fixture
def fal_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", "fal-own-key")


def on_fal(services: Services, photo: str, name: str, **properties: Any) -> ImageToImage:
    fakes.hub(services, f"owner/{name}", "fal-ai", f"fal-ai/{name}")
    return ImageToImage(provider="fal-ai", model=f"owner/{name}", image=photo, **properties)


def test_a_busy_service_is_asked_again_when_it_says(
    services: Services, run: Runs, photo: str, endpoint: Callable[..., str]
) -> None:
    busy = json_answer({"error": "rate limit"}, 429, Retry_After="0")
    loading = json_answer({"error": "Model x is currently loading", "estimated_time": 0.1}, 503)
    run(ImageToImage(endpoint=endpoint(busy, loading, Answer(image_bytes())), image=photo))
    assert len(services.of("POST")) == 3
    assert any(
        "too many requests (429): rate limit" in text and "attempt 2 of 4" in text
        for text in run.told()
    )
    assert any("currently loading" in text for text in run.told())


def test_the_wait_is_as_long_as_asked_for(
    services: Services, run: Runs, photo: str, endpoint: Callable[..., str]
) -> None:
    times: list[float] = []

    def answer(asked: fakes.Asked) -> Answer:
        times.append(time.monotonic())
        return (
            json_answer({"error": "busy"}, 429, Retry_After="1")
            if len(times) == 1
            else Answer(image_bytes())
        )

    run(ImageToImage(endpoint=endpoint(answer), image=photo))
    assert times[1] - times[0] >= 1.0


@pytest.mark.parametrize("wait", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_wait_beyond_the_deadline_is_not_begun(
    run: Runs, photo: str, endpoint: Callable[..., str], wait: str
) -> None:
    started = time.monotonic()
    found = run.problem(
        ImageToImage(
            endpoint=endpoint(json_answer({"error": "busy"}, 503, Retry_After=wait)),
            image=photo,
            timeout=20.0,
        )
    )
    assert (
        found.code == "service_busy"
        and "before the next attempt" in found.message
        and "timeout" in found.hint
    )
    assert fakes.seconds_since(started) < 10


def test_attempts_are_bounded(
    services: Services, run: Runs, photo: str, endpoint: Callable[..., str]
) -> None:
    found = run.problem(
        ImageToImage(
            endpoint=endpoint(json_answer({"error": "busy"}, 429, Retry_After="0")),
            image=photo,
            attempts=3,
        )
    )
    assert found.code == "service_busy" and "after 3 attempts" in found.message
    assert len(services.of("POST")) == 3


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (json_answer({"error": "bad token"}, 401), "service_refused", "bad token"),
        (json_answer({"detail": "no credit"}, 402), "service_refused", "no credit"),
        (
            json_answer({"error": ["prompt is too long", "steps too high"]}, 422),
            "service_rejected",
            "prompt is too long; steps too high",
        ),
        (json_answer(["a list"], 400), "service_rejected", "a list"),
        (json_answer({"errors": [{"message": "no model"}]}, 404), "service_rejected", "no model"),
        (
            Answer(HTML, 502, {"Content-Type": "text/html"}),
            "service_failed",
            "a web page, 'Bad gateway'",
        ),
        (
            Answer(HTML, 200, {"Content-Type": "image/png"}),
            "unexpected_answer",
            "a web page, 'Bad gateway'",
        ),
        (json_answer({"answer": 42}), "unexpected_answer", "JSON"),
        (
            json_answer({"status": "error", "message": "out of memory"}),
            "service_failed",
            "out of memory",
        ),
        (Answer(b""), "unexpected_answer", "0 bytes"),
        (Answer(b"\0\1\2\3" * 100), "unexpected_answer", "400 bytes that are no text"),
        (Answer(image_bytes(size=(200, 200))[:150]), "truncated_image", "ends too early"),
        (Answer(image_bytes(), missing=50), "service_unreachable", "broke off"),
        (Answer(bomb(60_000)), "image_too_large", "60000 x 60000"),
        (Answer(bomb(9_000)), "image_too_large", "9000 x 9000"),
        (
            Answer(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n"),
            "unexpected_answer",
            "%!PS",
        ),
        (Answer(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), "unexpected_answer", "svg"),
        (
            Answer(zlib.compress(b"x" * 10**6), 200, {"Content-Encoding": "deflate"}),
            "unexpected_answer",
            "packed",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_is_no_image(
    services: Services,
    run: Runs,
    photo: str,
    endpoint: Callable[..., str],
    answer: Answer,
    code: str,
    said: str,
) -> None:
    found = run.problem(ImageToImage(endpoint=endpoint(answer), image=photo))
    assert found.code == code and said in found.message, found
    assert len(services.of("POST")) == 1, "work that may have been done is not asked for again"


def test_a_image_in_base64_is_checked_as_well(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", "own")
    fakes.hub(services, "owner/base64", "together", "x/y")
    fakes.together(services, bomb(9_500))
    assert (
        run.problem(ImageToImage(provider="together", model="owner/base64", image=photo)).code
        == "image_too_large"
    )


def test_nobody_is_there(run: Runs, photo: str) -> None:
    # Port 9 of this machine: nothing listens there.
    found = run.problem(ImageToImage(endpoint="http://127.0.0.1:9/", image=photo, attempts=1))
    assert found.code == "service_busy" and "can't be reached" in found.message


def test_slow_bytes_end_at_the_deadline(
    run: Runs, photo: str, endpoint: Callable[..., str]
) -> None:
    started = time.monotonic()
    found = run.problem(
        ImageToImage(
            endpoint=endpoint(Answer(image_bytes() * 100, drip=True)), image=photo, timeout=1.0
        )
    )
    assert found.code == "service_timeout" and "within 1 s" in found.message
    assert fakes.seconds_since(started) < 5


@pytest.mark.usefixtures("fal_key")
def test_an_endless_queue_ends_at_the_deadline_and_polling_with_it(
    services: Services, run: Runs, photo: str
) -> None:
    node = on_fal(services, photo, "endless", timeout=1.2)
    fakes.fal(services, "fal-ai/endless", states=["IN_QUEUE"])
    found = run.problem(node)
    assert found.code == "service_timeout" and "last: in queue" in found.message
    polls = len(services.of("GET", "queue.fal.run"))
    assert polls >= 1 and not hosted_threads(), "the thread that polled has ended"
    assert len(services.of("GET", "queue.fal.run")) == polls


@pytest.mark.usefixtures("fal_key")
def test_a_failed_queue_is_noticed_at_once(services: Services, run: Runs, photo: str) -> None:
    node = on_fal(services, photo, "failing", timeout=60.0)
    fakes.fal(services, "fal-ai/failing", states=["FAILED"])
    started = time.monotonic()
    assert run.problem(node).code == "service_failed"
    assert fakes.seconds_since(started) < 10


@pytest.mark.usefixtures("fal_key")
def test_a_poll_that_is_refused_does_not_ask_for_the_work_again(
    services: Services, run: Runs, photo: str
) -> None:
    node = on_fal(services, photo, "polled")
    services.route(
        "queue.fal.run",
        "GET",
        "/fal-ai/polled/requests/r1/status",
        json_answer({"detail": "slow down"}, 429),
    )
    fakes.fal(services, "fal-ai/polled")
    found = run.problem(node)
    assert found.code == "service_failed" and "slow down" in found.message
    assert len(services.of("POST")) == 1


@pytest.mark.usefixtures("fal_key")
@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/x.png",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "file:///etc/passwd",
    ],
)
def test_a_result_at_a_private_address_is_not_fetched(
    services: Services, run: Runs, photo: str, address: str
) -> None:
    node = on_fal(services, photo, "private")
    fakes.fal(services, "fal-ai/private", result=json_answer({"images": [{"url": address}]}))
    found = run.problem(node)
    assert found.code in ("forbidden_address", "unexpected_answer")
    assert not any(asked.host.startswith(("127.", "169.", "[")) for asked in services.asked)


@pytest.mark.usefixtures("fal_key")
def test_a_redirect_to_a_private_address_is_not_followed(
    services: Services, run: Runs, photo: str
) -> None:
    node = on_fal(services, photo, "moved")
    services.route(
        fakes.FAL_RESULTS.removeprefix("https://"),
        "GET",
        "/made.png",
        Answer(b"", 302, {"Location": "http://10.1.2.3/secret"}),
    )
    fakes.fal(services, "fal-ai/moved")
    assert run.problem(node).code == "forbidden_address"
    assert "10.1.2.3" not in [asked.host for asked in services.asked]


def test_wavespeed_says_why_it_failed(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAVESPEED_API_KEY", "own")
    fakes.hub(services, "owner/wave-fails", "wavespeed", "w/fails")
    fakes.wavespeed(
        services, "w/fails", {"status": "processing"}, {"status": "failed", "error": "unsafe image"}
    )
    found = run.problem(ImageToImage(provider="wavespeed", model="owner/wave-fails", image=photo))
    assert found.code == "service_failed" and "unsafe image" in found.message


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (
            {"status": "failed", "error": "CUDA out of memory", "output": None},
            "service_failed",
            "CUDA out of memory",
        ),
        ({"status": "starting", "output": None}, "service_timeout", "did not finish"),
    ],
)
def test_replicate_fails(
    services: Services,
    run: Runs,
    photo: str,
    monkeypatch: pytest.MonkeyPatch,
    reply: dict[str, Any],
    code: str,
    said: str,
) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", "own")
    name = f"fails-{reply['status']}"
    fakes.hub(services, f"owner/{name}", "replicate", f"x/{name}")
    fakes.replicate(services, f"x/{name}", **reply)
    found = run.problem(ImageToImage(provider="replicate", model=f"owner/{name}", image=photo))
    assert found.code == code and said in found.message


def test_a_cancel_while_waiting_takes_effect_at_once(
    services: Services, run: Runs, photo: str, endpoint: Callable[..., str]
) -> None:
    hold = threading.Event()
    under_way = run.start(
        ImageToImage(endpoint=endpoint(Answer(image_bytes(), hold=hold)), image=photo, timeout=60.0)
    )
    assert services.arrived.wait(10)
    under_way.cancel()
    with pytest.raises(RunCancelled):
        under_way.result(30)
    assert under_way.wait(30)
    assert not hosted_threads(), "the request is broken off, though the service has not answered"
    assert services.given_up.wait(5), "the service can see that nobody waits"
    hold.set()


def hosted_threads() -> list[str]:
    """Threads of hosted calls that are still there, after a moment to end in."""
    until = time.monotonic() + 5
    while found := [thread for thread in threading.enumerate() if thread.name == "nodetool-hosted"]:
        if time.monotonic() > until:
            break
        found[0].join(1)
    return [thread.name for thread in found]
