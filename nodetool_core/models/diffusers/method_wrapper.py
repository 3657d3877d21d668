"""Methods of single modules that are replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class MethodWrapper:
    """
    Stands in place of a method of one module.

    A deep copy of the module has the method of its class again.
    """

    def __init__(self, module: torch.nn.Module, method: str) -> None:
        self._module = module
        self._method = method
        self.__wrapped__: Callable[..., object] = getattr(type(module), method).__get__(module)

    def __deepcopy__(self, memo: dict[int, object]) -> object:
        # The copy is on its way: the module's own entry in `memo` is it.
        copied = memo.get(id(self._module))
        return self if copied is None else getattr(type(copied), self._method).__get__(copied)
