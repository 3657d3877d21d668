"""
What encoders gave is kept: texts by their tokens, images by their pixels.

A change of seed, strength or steps encodes the same prompt and the same image again, with the same
result. So a text encoder's `forward` and an autoencoder's `encode` first look here. The key is the
component (its files and number format) and a hash of everything that the call gets; what is kept is
what the call gave, for an image the whole posterior, from which each call draws its own sample.
Kept is only what is computed without gradients in evaluation mode, and the least recently used goes
first.

Copies of a watched module (nodes copy it to hang adapters on) compute for themselves.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from blake3 import blake3

from nodetool_core.models.diffusers.method_wrapper import MethodWrapper

if TYPE_CHECKING:
    import torch

    from nodetool_core.models.components.component_key import ComponentKey

BOUND = 256 * 2**20
"""Bytes that are kept unless somebody says otherwise."""


class EncoderCache:
    """What encoders gave, by what they were given. Safe to use from many threads."""

    def __init__(self, bound: int = BOUND) -> None:
        self.bound = bound
        self.hits = 0
        self.misses = 0
        self._kept: OrderedDict[bytes, tuple[object, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes that are kept now."""
        return self._bytes

    def watch(self, module: torch.nn.Module, part: str, key: ComponentKey) -> None:
        """Have an encoder look here first; other components are left as they are."""
        method = (
            "forward"
            if part.startswith("text_encoder")
            else "encode"
            if _gives_posterior(module, part)
            else None
        )
        if method is not None and self.bound:
            setattr(module, method, _CachedMethod(self, module, method, repr(key).encode()))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def get(self, key: bytes) -> object:
        """Return what is kept under a key; None where nothing is."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: bytes, value: object) -> None:
        """Keep a value, as far as the bound allows."""
        size = sum(tensor.untyped_storage().nbytes() for tensor in _tensors(value))
        if size > self.bound:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = (value, size)
            self._bytes += size
            while self._bytes > self.bound:
                self._bytes -= self._kept.popitem(last=False)[1][1]


class _CachedMethod(MethodWrapper):
    """Looks into the cache before the module computes."""

    def __init__(
        self, cache: EncoderCache, module: torch.nn.Module, method: str, key: bytes
    ) -> None:
        super().__init__(module, method)
        self._encoder_cache = cache
        self._key = key

    def __call__(self, *arguments: object, **options: object) -> object:
        import torch

        is_observed = any(inner._forward_hooks for inner in self._module.modules())
        if torch.is_grad_enabled() or self._module.training or is_observed:
            return self.__wrapped__(*arguments, **options)
        key = _hash(self._key, _state(self._module), arguments, options)
        if key is None:
            return self.__wrapped__(*arguments, **options)
        found = self._encoder_cache.get(key)
        if found is None:
            found = self.__wrapped__(*arguments, **options)
            self._encoder_cache.put(key, found)
        # The tensors are shared, and nobody changes them; the object that names them is the
        # caller's own.
        return copy.copy(found)


def _gives_posterior(module: torch.nn.Module, part: str) -> bool:
    return part == "vae" and hasattr(module, "encode") and hasattr(module, "quant_conv")


def _state(module: torch.nn.Module) -> tuple[object, ...]:
    """Return what changes the results of a module besides its weights."""
    return (
        getattr(module, "use_tiling", None),
        getattr(module, "use_slicing", None),
        str(getattr(module, "dtype", "")),
        str(getattr(module, "device", "")),
    )


def _hash(*parts: object) -> bytes | None:
    """Return a hash of tensors and plain values; None where something else is among them."""
    hasher = blake3()
    try:
        for part in parts:
            _feed(hasher, part)
    except TypeError:
        return None
    return hasher.digest()


def _feed(hasher: blake3, value: object) -> None:
    import torch

    if isinstance(value, torch.Tensor):
        hasher.update(f"t{value.dtype}{tuple(value.shape)}".encode())
        hasher.update(
            value.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy().data
            if value.numel()
            else b""
        )
    elif isinstance(value, (list, tuple)):
        hasher.update(f"l{len(value)}".encode())
        for item in value:
            _feed(hasher, item)
    elif isinstance(value, dict):
        hasher.update(f"d{len(value)}".encode())
        for name in sorted(value):
            hasher.update(f"{name}=".encode())
            _feed(hasher, value[name])
    elif isinstance(value, bytes):
        hasher.update(value)
    elif value is None or isinstance(value, (bool, int, float, str)):
        hasher.update(f"{type(value).__name__}{value!r};".encode())
    else:
        raise TypeError(type(value).__name__)


def _tensors(value: object) -> Iterator[torch.Tensor]:
    """Yield the tensors in what an encoder gave, however deep."""
    import torch

    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, dict):
            pending += one.values()
        elif isinstance(one, (list, tuple)):
            pending += one
        elif hasattr(one, "__dict__"):
            pending += vars(one).values()
