"""
Services: objects of the program that nodes work with: a client, a database, or a mock of one.

    class Store(Protocol): ...

    class Look(Node):
        services = (Store,)
        def process(self, context: Context) -> str:
            return context.service(Store).look("night")

    Engine(services={Store: SqlStore("shop.sqlite")})

They belong to the program, not to a workflow: no file names them. What of a service counts in the
keys of results is said by itself: its `fingerprint()`, and its class where it has none, so that a
mock's results are not taken for real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from nodetool_core.errors import NodetoolError, Problem


@runtime_checkable
class Fingerprinted(Protocol):
    """A service that says what of it results depend on."""

    def fingerprint(self) -> str | None:
        """
        Return a text that differs where results do, such as a version or the place of a database.

        None where no result of a node that uses it is to be kept.
        """
        ...


class ServiceError(NodetoolError):
    """A node asks for a service that there is not, or that it does not declare."""


class Services:
    """The services of an engine, by class."""

    def __init__(self, services: Mapping[type, object] | None = None) -> None:
        self._services = dict(services or {})

    def get(self, kind: type) -> object:
        """Return the service of a class. Raises ServiceError(`missing_service`)."""
        if kind not in self._services:
            name = kind.__name__
            known = ", ".join(each.__name__ for each in self._services)
            has = f" It has {known}." if known else ""
            raise ServiceError(
                Problem(
                    "missing_service",
                    "",
                    f"needs the service {name}, which the engine does not have.{has}",
                    f"Make the engine with it: Engine(services={{{name}: …}}).",
                )
            )
        return self._services[kind]

    def fingerprint(self, kinds: tuple[type, ...]) -> str | None:
        """
        Return what of some services results depend on; None where none may be kept.

        Raises ServiceError(`missing_service`).
        """
        parts = []
        for kind in kinds:
            service = self.get(kind)
            own = type(service)
            said: str | None = f"{own.__module__}.{own.__qualname__}"
            if isinstance(service, Fingerprinted):
                said = _said(service, kind)
            if said is None:
                return None
            parts.append(f"{kind.__module__}.{kind.__qualname__}={said!r}")
        return ",".join(parts)


def _said(service: Fingerprinted, kind: type) -> str | None:
    try:
        return service.fingerprint()
    except Exception as error:
        message = f"fingerprint of the service {kind.__name__} failed: {error!r}"
        raise ServiceError(Problem("fingerprint_failed", "", message)) from error
