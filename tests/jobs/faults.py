"""
Killing processes at random while jobs run, and checking that nothing is lost or done twice.

A test does it a few times; `python -m bench.job_faults --kills 50` as often as one likes.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from nodetool_core.jobs.job import JobRequest, JobSettings, JobState
from nodetool_core.jobs.service import Jobs
from nodetool_core.workflow import WorkflowDocument
from tests.jobs import graphs
from tests.jobs.processes import ROOT, Fleet

LENGTH = 6
"""Nodes of a job, each worth a place in the disk cache."""

LEASE = 30.0
PATIENCE = 60.0


def request(number: int, log: Path) -> JobRequest:
    """Return the job of a number; asking for it again gives the same one."""
    return JobRequest(
        document(number, log), client=f"client {number % 3}", idempotency_key=str(number)
    )


def document(number: int, log: Path) -> WorkflowDocument:
    return graphs.chain(LENGTH, log, f"{number}-")


def check(jobs: Jobs, accepted: dict[int, str], log: Path) -> int:
    """
    Check that each accepted job is there, ended once, with the right result.

    No work that was told to be finished was begun again.

    Gives how many jobs had to be begun again.
    """
    counts = Counter(log.read_text().splitlines())
    again = 0
    for number, job_id in accepted.items():
        job = jobs.get(job_id)
        assert job.state is JobState.DONE, (job, job.problems)
        assert jobs.results(job_id) == {
            "text": "".join(f"{number}-{place};" for place in range(LENGTH))
        }
        events = list(jobs.events(job_id))
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert [event.name for event in events].count("job_ended") == 1 and events[
            -1
        ].name == "job_ended"
        told: dict[str, int] = {}
        """The attempt in which each node was told to be computed."""
        for event in events:
            # What the workflow has besides (its input and output) is cheaper to make than to read
            # back, and is not kept.
            if (
                event.name == "node_finished"
                and event.data["node_id"].startswith("work")
                and not event.data["cached"]
            ):
                assert event.data["node_id"] not in told, (job_id, event)
                told[event.data["node_id"]] = event.attempt
        for place in range(LENGTH):
            node = "work" if place == 0 else f"work_{place + 1}"
            begun = counts[f"begin {number}-{place}"]
            # It may have been begun in each attempt up to the one that finished it, and in none
            # after that.
            assert 1 <= begun <= told.get(node, job.attempts), (job_id, node, begun, told)
        again += job.attempts - 1
    return again


def kill_workers(workers: Fleet, kills: int, chance: random.Random, log: Path, jobs: Jobs) -> None:
    """
    Kill one of two workers at work again and again, at any moment of its work.

    Each is replaced by a new one.
    """
    running = [workers.start(), workers.start()]
    for _ in range(kills):
        wait_for_work(log, 3)
        time.sleep(chance.uniform(0, 0.05))
        victim = stopped_at_work(running, jobs)
        victim.kill()
        victim.wait()
        running.remove(victim)
        running.append(workers.start())


def stopped_at_work(running: list[subprocess.Popen[bytes]], jobs: Jobs) -> subprocess.Popen[bytes]:
    """
    Return a worker, stopped, that holds a job of which a node is done: its end loses something.

    One that is only seen at work may have ended its job by the time it is killed.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        at_work = pids_at_work(jobs)
        for process in running:
            if process.pid in at_work:
                process.send_signal(signal.SIGSTOP)
                if process.pid in pids_at_work(jobs):
                    return process
                process.send_signal(signal.SIGCONT)
        time.sleep(0.005)
    raise AssertionError("nobody is at work")


def pids_at_work(jobs: Jobs) -> set[int]:
    """Return the processes that have a job of which a node is done: there is something to lose."""
    running = [job for job in jobs.list(state=JobState.RUNNING) if job.worker]
    return {
        int(str(job.worker).split("-")[-2])
        for job in running
        if any(e.name == "node_finished" for e in jobs.queue.events(job.id)[0])
    }


def wait_for_work(log: Path, lines: int) -> None:
    """Until some more nodes have begun or ended."""
    begun = len(log.read_text().splitlines()) if log.exists() else 0
    until = time.monotonic() + PATIENCE
    while not log.exists() or len(log.read_text().splitlines()) < begun + lines:
        assert time.monotonic() < until, "nobody works"
        time.sleep(0.01)


def kill_servers(workers: Fleet, kills: int, chance: random.Random) -> dict[int, str]:
    """
    Kill a process that accepts jobs and runs them, again and again.

    Gives the jobs that it said it had accepted.
    """
    accepted: dict[int, str] = {}
    for kill in range(kills + 1):
        last = kill == kills
        until = len(accepted) + (2 if last else 1000)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.jobs.faults",
                str(workers.folder),
                str(len(accepted)),
                str(until),
            ],
            cwd=ROOT,
            env=workers.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        lines: SimpleQueue[str] = SimpleQueue()
        assert process.stdout is not None
        reader = Thread(
            target=lambda found=process.stdout, put=lines.put: [put(line) for line in found],
            daemon=True,
        )  # type: ignore[misc]
        reader.start()
        try:
            if last:
                assert process.wait(PATIENCE * 5) == 0
            else:
                wanted = [lines.get(timeout=PATIENCE) for _ in range(chance.randint(2, 6))]
                time.sleep(chance.uniform(0, 0.4))
                process.kill()
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()
        wanted = [] if last else wanted
        while True:
            try:
                wanted.append(lines.get_nowait())
            except Empty:
                break
        for line in wanted:
            if line.endswith("\n"):
                number, job_id = line.split()
                assert accepted.setdefault(int(number), job_id) == job_id
    return accepted


def serve(folder: Path, first: int, until: int) -> None:
    """
    Accept the jobs from `first` to `until`, saying of each that it was; run them.

    Return when all have ended.
    """
    from nodetool_core.engine.caching.tiered import default_cache
    from nodetool_core.engine.engine import Engine
    from nodetool_core.registry import Registry

    cache = default_cache()
    with Engine(registry=Registry.installed(), cache=cache) as engine:
        settings = JobSettings(workers=2, lease=LEASE, lost_attempts=1000)
        jobs = Jobs.open(folder / "jobs.sqlite", folder / "files", engine=engine, settings=settings)
        jobs.start()
        accepted = []
        for number in range(first, until):
            accepted.append(jobs.submit(request(number, folder / "log")).id)
            print(number, accepted[-1], flush=True)
            # As much load as two threads can bear, and a bit.
            if len(accepted) > 6:
                jobs.wait(accepted[-6])
        for job in jobs.list(limit=100_000):
            jobs.wait(job.id)
        jobs.drain(10)
        jobs.close()
    cache.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
