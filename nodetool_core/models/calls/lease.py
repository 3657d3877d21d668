"""
What a block borrows of the weights manager, and how it is called.

A node may build a pipeline of its own over the modules of several leases, such as a model and a
ControlNet, and says so with `compose`. A call then has all of them in its care: what it changes on
their modules is put back, and all of them make room where memory runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nodetool_core.models.calls.call_options import CallOptions
from nodetool_core.models.components.networks import ModelPart

if TYPE_CHECKING:
    from contextlib import ExitStack

    from nodetool_core.context import Context, Pipeline
    from nodetool_core.models.residency.component import Component
    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.residency.module_state import ModuleState


@dataclass(eq=False)
class Lease:
    """A pipeline, or a part of a model, over components that are pinned until its block ends."""

    lent: Pipeline | ModelPart
    name: str
    """What the user called the model."""
    task: str
    device: Device
    context: Context
    """Of the node that borrows it: gets warnings, and says whether to stop."""
    call: Callable[[Lease, Mapping[str, object]], object]
    components: Sequence[Component] = ()
    states: Sequence[ModuleState] = ()
    """How its modules are to be when they come back."""
    others: tuple[Lease, ...] = ()
    """Leases whose modules its pipeline has as well."""
    low_memory: ExitStack | None = None
    """What ends the saving of memory, where it was begun."""
    options: CallOptions = field(default_factory=CallOptions)
    """How calls are computed."""
    widen: Callable[[Lease], int] = lambda lease: 0
    """Has it compute in float32; gives the bytes which that takes, 0 where it can't be."""
    give_back: Callable[[int], None] = lambda size: None
    """Gives bytes back that were taken."""
    wide_bytes: int = 0
    """What computing in float32 takes besides, where it was begun."""

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that `run` calls: the caller's own, over shared weights."""
        if isinstance(self.lent, ModelPart):
            raise TypeError(f"A lease for {self.task!r} has a part, and no pipeline.")
        return self.lent

    @property
    def part(self) -> ModelPart:
        """The network or the tensors of a lease for a task of `components/networks.py`."""
        if not isinstance(self.lent, ModelPart):
            raise TypeError(f"A lease for {self.task!r} has a pipeline, and no part.")
        return self.lent

    def compose(self, pipeline: Pipeline, *others: Lease) -> None:
        """Have `run` call this pipeline, which has modules of other leases besides its own."""
        self.lent = pipeline
        self.others = (*self.others, *others)

    def run(self, arguments: Mapping[str, object]) -> object:
        """
        Call the pipeline and return what it returns.

        Memory is reserved for the call, and it is done again with less where memory runs out.

        Raises ModelError with the code `out_of_memory` where nothing helps, RunCancelled, and
        whatever the pipeline raises.
        """
        return self.call(self, arguments)

    def in_full_precision(self) -> bool:
        """
        Have `run` compute in float32 until the block ends.

        Return whether it does: the weights have to be plain numbers in half precision, and there
        has to be memory for them in float32.
        """
        size = self.widen(self)
        self.wide_bytes += size
        return size > 0

    @property
    def all(self) -> list[Lease]:
        """This lease, and those that it was composed of."""
        return [self, *(lease for other in self.others for lease in other.all)]

    @property
    def all_states(self) -> list[ModuleState]:
        """The states of the modules of all of them, each once."""
        return list({id(state): state for lease in self.all for state in lease.states}.values())

    def close(self) -> None:
        """End the saving of memory, and give back what was taken, as the block has ended."""
        if self.wide_bytes:
            self.give_back(self.wide_bytes)
        if self.low_memory is not None:
            self.low_memory.close()
