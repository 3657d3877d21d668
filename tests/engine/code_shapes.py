"""
Ways in which the classes of a factory can differ.

In each, `make(k)` gives a node class whose result is `k`.
"""

from __future__ import annotations

PREAMBLE = """
import functools
from dataclasses import dataclass
from typing import Any
from nodetool_core import Node
"""

SHAPES = """
# -- closure
def make(k):
    class N(Node):
        def process(self) -> Any:
            return k
    return N
# -- deep closure
def make(k):
    def inner():
        def value():
            return k
        return value
    held = inner()
    class N(Node):
        def process(self) -> Any:
            return held()
    return N
# -- list in a closure
def make(k):
    cell = [0, {'k': k}]
    class N(Node):
        def process(self) -> Any:
            return cell[1]['k']
    return N
# -- default
def make(k):
    class N(Node):
        value: Any = k
        def process(self) -> Any:
            return self.value
    return N
# -- default of a function
def make(k):
    class N(Node):
        def process(self) -> Any:
            return self.given()
        def given(self, k=k):
            return k
    return N
# -- keyword default
def make(k):
    class N(Node):
        def process(self) -> Any:
            return self.given()
        def given(self, *, k=k):
            return k
    return N
# -- attribute
def make(k):
    class N(Node):
        _k = k
        def process(self) -> Any:
            return self._k
    return N
# -- static method
def make(k):
    class N(Node):
        @staticmethod
        def given():
            return k
        def process(self) -> Any:
            return self.given()
    return N
# -- property
def make(k):
    class N(Node):
        _given = property(lambda self: k)
        def process(self) -> Any:
            return self._given
    return N
# -- base class
def make(k):
    class Base:
        def given(self):
            return k
    class N(Base, Node):
        def process(self) -> Any:
            return self.given()
    return N
# -- decorator
def gives(k):
    def wrap(f):
        @functools.wraps(f)
        def inner(self):
            return k
        return inner
    return wrap
def make(k):
    class N(Node):
        @gives(k)
        def process(self) -> Any:
            return 0
    return N
# -- partial
def make(k):
    given = functools.partial(lambda a, b: a, k)
    class N(Node):
        def process(self) -> Any:
            return given(0)
    return N
# -- dataclass
@dataclass
class Config:
    k: Any
def make(k):
    config = Config(k)
    class N(Node):
        def process(self) -> Any:
            return config.k
    return N
# -- object
class Config:
    def __init__(self, k):
        self.k = k
def make(k):
    config = Config([k])
    class N(Node):
        def process(self) -> Any:
            return config.k[0]
    return N
# -- slots
class Config:
    __slots__ = ('k',)
def make(k):
    config = Config()
    config.k = k
    class N(Node):
        def process(self) -> Any:
            return config.k
    return N
# -- type()
def make(k):
    def process(self) -> Any:
        return k
    return type('N', (Node,), {'process': process, '__module__': __name__})
# -- global
def make(k):
    global K
    K = k
    class N(Node):
        def process(self) -> Any:
            return K
    return N
# -- called global
def make(k):
    global given
    def given(): return k
    class N(Node):
        def process(self) -> Any:
            return helper()
    return N
def helper(): return given()
# -- cached function
def make(k):
    @functools.lru_cache
    def given(): return k
    class N(Node):
        def process(self) -> Any:
            return given()
    return N
# -- text in code
def make(k):
    exec(f'def given(): return {k!r}', globals())
    class N(Node):
        def process(self) -> Any:
            return given()
    return N
"""

FACTORIES: dict[str, str] = {
    name.strip(): PREAMBLE + code
    for name, _, code in (part.partition("\n") for part in SHAPES.split("# -- ")[1:])
}
"""Code that defines `make`, by what it shows."""
