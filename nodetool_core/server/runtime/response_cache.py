"""
Answers kept for repeated requests.

An answer is found in two steps. Its *key* states what was requested: the workflow, the decoded
image, the canonical parameters. A request's *fingerprint* is a hash of its bytes, and leads to the
key that those bytes had last time; so a request that is repeated byte for byte is answered without
being parsed, and one that says the same in other bytes is still a hit.

Both tables are bounded; what was requested longest ago goes first. All calls are made on the event
loop's thread.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

_FINGERPRINTS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An encoded image, and the warnings beside it."""

    content: bytes
    media_type: str
    warnings: tuple[str, ...] = ()
    made: float = field(default_factory=time.monotonic)


class ResponseCache:
    """
    Holds answers by key, and keys by fingerprint.

    Args:
        max_bytes: Most bytes of all answers together.
        seconds: How long an answer is good.
    """

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()
        self._keys: OrderedDict[bytes, bytes] = OrderedDict()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def repeated(self, fingerprint: bytes) -> Answer | None:
        """Return the answer to a request that came before in the same bytes."""
        key = self._keys.get(fingerprint)
        if key is None:
            return None
        self._keys.move_to_end(fingerprint)
        return self._find(key)

    def known(self, key: bytes, fingerprint: bytes) -> Answer | None:
        """Return the answer to a request that repeats an earlier one."""
        found = self._find(key)
        if found is None:
            self.misses += 1
        else:
            self._remember(fingerprint, key)
        return found

    def put(self, key: bytes, fingerprint: bytes | None, answer: Answer) -> None:
        """
        Keep an answer; nothing happens where it is larger than all there is room for.

        Without a fingerprint, a request in the same bytes is read again: it may say that it wants
            no known answer.
        """
        if len(answer.content) > self._max_bytes:
            return
        self._drop(key)
        self._answers[key] = answer
        self.bytes += len(answer.content)
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._answers)))
        if fingerprint is not None:
            self._remember(fingerprint, key)

    def clear(self) -> None:
        self._answers.clear()
        self._keys.clear()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def _find(self, key: bytes) -> Answer | None:
        found = self._answers.get(key)
        if found is None:
            return None
        if time.monotonic() - found.made > self._seconds:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        self.hits += 1
        return found

    def _remember(self, fingerprint: bytes, key: bytes) -> None:
        self._keys[fingerprint] = key
        self._keys.move_to_end(fingerprint)
        if len(self._keys) > _FINGERPRINTS:
            self._keys.popitem(last=False)

    def _drop(self, key: bytes) -> None:
        found = self._answers.pop(key, None)
        if found is not None:
            self.bytes -= len(found.content)
