"""
How shared modules were before a call, and what puts them back.

Pipelines of diffusers change modules while they run: an autoencoder is cast to float32 and back,
attention processors are exchanged, hooks and caches come and go. They undo it where all goes well,
and leave it where something fails, memory runs out, or the run is cancelled. So the state of a
module is recorded when a call begins, and what is found changed when it ends is put back.

- Recorded are the attributes of each module of the tree, of its settings and its attention
  processors, and the lists, sets and
  mappings among them, one level deep: parameters, buffers, children, hooks, flags. A record is kept
  for the next call and compared by identity, which for SDXL (2,700 modules, 100,000 values) takes
  some milliseconds before and after a call of seconds.
- The data of tensors is kept during a call, so that what a pipeline casts is put back to the last
  bit and in the same memory.
- Calls at the same time may share a module. The last one to end puts it back; nobody does so during
  the call of another.

Numbers that are overwritten in place are not seen. No pipeline does that with weights.
"""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import is_, methodcaller
from typing import TYPE_CHECKING, Any

from nodetool_core.models.residency.transfer import tensors

if TYPE_CHECKING:
    import torch

_KINDS = (dict, OrderedDict, list, set)
"""Types of what holds state and can be changed in place."""

_LIBRARIES = ("diffusers.", "transformers.")

_ADDRESS = methodcaller("data_ptr")


class ModuleState:
    """How a tree of modules is between calls. Safe to use from many threads."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module
        self._calls = 0
        """Those that are under way on the module."""
        self._boxes: tuple[Any, ...] = ()
        """In the order of their addresses, in which the processor fetches ahead."""
        self._kept: list[Any] = []
        """A copy of each box."""
        self._held: list[object] = []
        """All that the boxes held, in one row: most hold nothing."""
        self._tensors: list[torch.Tensor] = []
        self._formats: list[torch.dtype] = []
        self._data: list[torch.Tensor] | None = None
        """What the tensors hold while a call is under way; None where something else moves it."""
        self._addresses: list[int] = []
        """Of that data."""
        self._is_moved = False
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Begin a call. What was changed since the last one was meant to be."""
        with self._lock:
            if self._calls == 0:
                if not (self._boxes and self._has_equal_boxes()):
                    self._record()
                self._keep_data()
            self._calls += 1

    def put_back(self) -> None:
        """Put back what a call changed, unless another one is under way as well."""
        with self._lock:
            if self._calls == 1:
                self._put_back()

    def end(self) -> None:
        """End a call, and put back what it changed."""
        with self._lock:
            if self._calls == 1:
                self._put_back()
                self._data = None
            self._calls -= 1

    @contextmanager
    def changed(self, *, moves: bool) -> Iterator[None]:
        """
        Have the module be as it is now until the block ends.

        Whatever it was when the call that is under way began.

        Args:
            moves: Whether its data is moved by other means in the block, so that it must not be
                kept.
        """
        with self._lock:
            self._record()
            self._is_moved = moves
            self._keep_data()
        try:
            yield
        finally:
            with self._lock:
                self._is_moved = False

    def _record(self) -> None:
        import torch

        self._boxes = tuple(sorted(_boxes(self.module), key=id))
        self._kept = [box.copy() for box in self._boxes]
        self._held = gc.get_referents(*self._boxes)
        # Others, such as quantized ones, are cast by no pipeline.
        self._tensors = [
            tensor for tensor in tensors(self.module) if type(tensor.data) is torch.Tensor
        ]

    def _keep_data(self) -> None:
        self._data = None if self._is_moved else [tensor.data for tensor in self._tensors]
        self._addresses = list(map(_ADDRESS, self._data or ()))
        self._formats = self._formats_now()

    def _formats_now(self) -> list[torch.dtype]:
        return [tensor.dtype for tensor in self._tensors]

    def _put_back(self) -> None:
        if not self._has_equal_boxes():
            for box, kept in zip(self._boxes, self._kept, strict=True):
                _refill(box, kept)
        has_formats = self._formats_now() == self._formats
        if self._data is not None:
            if not (has_formats and list(map(_ADDRESS, self._tensors)) == self._addresses):
                for tensor, data in zip(self._tensors, self._data, strict=True):
                    if tensor.data_ptr() != data.data_ptr() or tensor.dtype != data.dtype:
                        tensor.data = data
        elif not has_formats:
            for tensor, dtype in zip(self._tensors, self._formats, strict=True):
                tensor.data = tensor.data.to(dtype)

    def _has_equal_boxes(self) -> bool:
        # No Python code runs for a box: there are thousands, and this is part of every call.
        held = gc.get_referents(*self._boxes)
        return len(held) == len(self._held) and all(map(is_, held, self._held))


@contextmanager
def in_call(states: Sequence[ModuleState]) -> Iterator[None]:
    """Put back what a call changes on modules when the block ends, whichever way it ends."""
    with ExitStack() as stack:
        for state in states:
            state.begin()
            stack.callback(state.end)
        yield


def _boxes(module: torch.nn.Module) -> Iterator[Any]:
    """Yield the mappings, lists and sets that hold the state of a tree of modules, each once."""
    seen: set[int] = set()
    pending: list[Any] = list(module.modules())
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        own = vars(one)
        yield own
        for value in own.values():
            if type(value) in _KINDS:
                if id(value) not in seen:
                    seen.add(id(value))
                    yield value
            elif _is_part(value):
                pending.append(value)


def _is_part(value: object) -> bool:
    """
    Return whether a value belongs to a module without being one.

    Its settings, its attention processor, the registry of its hooks.
    """
    import torch

    kind = type(value)
    return (
        kind.__module__.startswith(_LIBRARIES)
        and hasattr(value, "__dict__")
        and not isinstance(value, (type, dict, torch.nn.Module))
    )


def _values(box: Any) -> Any:
    return box.values() if isinstance(box, dict) else box


def _refill(box: Any, kept: Any) -> None:
    """Have a mapping, list or set hold what a copy of it holds."""
    if len(box) == len(kept) and all(map(is_, _values(box), _values(kept))):
        return
    box.clear()
    if isinstance(box, list):
        box.extend(kept)
    else:
        box.update(kept)
