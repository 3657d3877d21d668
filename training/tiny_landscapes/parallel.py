"""
Data-parallel training on a few CPU cores.

One single-threaded process per core, gradients averaged by gloo.

Single-threaded processes stay fast when other work shares the machine; a team of OpenMP threads
does not, as every convolution waits for its slowest member.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


@dataclass(frozen=True, slots=True)
class Worker:
    """One of ``world`` processes that train the same weights on different samples."""

    rank: int
    world: int

    @property
    def leads(self) -> bool:
        """Whether this process logs and writes checkpoints."""
        return self.rank == 0

    def average(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.world == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in grads])
        dist.all_reduce(flat)
        flat /= self.world
        at = 0
        for grad in grads:
            grad.copy_(flat[at : at + grad.numel()].view_as(grad))
            at += grad.numel()

    def agree(self, value: float) -> float:
        """Return the first process's value, in every process."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared[0])


@dataclass(slots=True)
class Clock:
    """
    A learning rate by wall clock: a short warm-up, then a cosine that ends when the time is up.
    """

    seconds: float
    peak: float
    warmup: float = 30.0
    started: float = field(default_factory=time.monotonic)

    def share(self) -> float:
        """Return how much of the time is gone, from 0 to 1."""
        return min(1.0, (time.monotonic() - self.started) / self.seconds)

    def rate(self, share: float) -> float:
        """Return the learning rate at that share of the time."""
        ramp = min(1.0, share * self.seconds / self.warmup)
        return self.peak * ramp * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _entry(rank: int, world: int, port: int, task: Callable[[Worker], None]) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    if world > 1:
        dist.init_process_group("gloo", rank=rank, world_size=world, timeout=timedelta(minutes=20))
    task(Worker(rank, world))
    if world > 1:
        dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(task: Callable[[Worker], None], world: int) -> None:
    """Run a picklable task in ``world`` processes of one thread each and wait for all of them."""
    mp.spawn(_entry, args=(world, _free_port(), task), nprocs=world)
