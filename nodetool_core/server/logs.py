"""
Logs for machines: one JSON object a line, without secrets.

Each names the request that it belongs to, and the job where there is one.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

request_id: ContextVar[str] = ContextVar("request_id", default="")
current_client: ContextVar[str] = ContextVar("current_client", default="")
"""The client whose request is being answered, as the request guard found out."""

_SECRET: Final = re.compile(
    r"""(?ix) \b (
        (?: token | api_key | password | secret | authorization ) ["']? \s* [=:] \s* ["']?
        (?: (?: bearer:? | basic ) \s+ )?
        | (?: bearer:? | basic ) \s+
    )
    [^\s"',&}]+"""
)
_UVICORN: Final = ("uvicorn", "uvicorn.error", "uvicorn.access")
_NOISY: Final = ("httpx2", "httpcore2", "PIL", "asyncio")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


def without_secrets(text: str) -> str:
    """Return a text with the values of tokens and passwords left out."""
    return _SECRET.sub(r"\1***", text)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON; `extra=` members stand beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        line |= {"request_id": request_id.get()} if request_id.get() else {}
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A record as a line for people."""

    def format(self, record: logging.LogRecord) -> str:
        name = f" {request_id.get()}" if request_id.get() else ""
        more = "".join(
            f" {key}={value}" for key, value in vars(record).items() if key not in _STANDARD
        )
        text = f"{record.levelname.lower():7}{name} {without_secrets(record.getMessage())}{more}"
        return text + (
            f"\n{without_secrets(self.formatException(record.exc_info))}" if record.exc_info else ""
        )


@contextmanager
def to_stderr(level: str, form: str) -> Iterator[None]:
    """
    While the block lasts, everything that is logged goes to stderr in that form.

    Then all is as before.

    For the program alone: a library leaves logging as it is.
    """
    loggers = {name: logging.getLogger(name) for name in ("", *_UVICORN, *_NOISY)}
    before = {
        name: (logger.level, logger.handlers[:], logger.propagate, logger.disabled)
        for name, logger in loggers.items()
    }
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    loggers[""].handlers[:] = [handler]
    loggers[""].setLevel(level.upper())
    for name in _UVICORN:
        loggers[name].handlers.clear()
        loggers[name].propagate = True
    # Each request is logged once, by the request guard.
    loggers["uvicorn.access"].disabled = True
    for name in _NOISY:
        loggers[name].setLevel(logging.WARNING)
    # Libraries warn on stderr by themselves, in lines that are no JSON.
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for name, logger in loggers.items():
            level_before, logger.handlers[:], logger.propagate, logger.disabled = before[name]
            logger.setLevel(level_before)
