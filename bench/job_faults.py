"""
Kill workers and servers at random while jobs run; check that none is lost or done twice.

    python bench/job_faults.py [--kills 50] [--seed 1]

Half of the kills hit one of two workers, the other half a process that accepts jobs and runs them.
Ends with an error where a job was lost, ended twice, had another result, or where a node was
computed again that was reported as finished.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from nodes import pack as builtin
from nodetool_core.jobs.job import JobSettings
from nodetool_core.jobs.service import Jobs
from nodetool_core.registry import Registry
from tests.jobs.faults import LEASE, check, kill_servers, kill_workers, request
from tests.jobs.pack import pack
from tests.jobs.processes import fleet

JOBS_PER_KILL = 4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    for name, run in (("workers", faults_of_workers), ("servers", faults_of_servers)):
        begun = time.monotonic()
        kills = arguments.kills // 2
        jobs, again = run(kills, chance)
        seconds = time.monotonic() - begun
        told = (
            f"{jobs} jobs accepted, all ended once; {again} begun again, no finished node computed"
            " twice"
        )
        print(f"{name}: {kills} kills, {told}; {seconds:.0f} s")


def faults_of_workers(kills: int, chance: random.Random) -> tuple[int, int]:
    """Jobs that were accepted, and begun again."""
    with tempfile.TemporaryDirectory() as name, fleet(Path(name), "--lease", str(LEASE)) as workers:
        jobs = open_jobs(workers.database, workers.storage)
        log = workers.folder / "log"
        accepted = {
            number: jobs.submit(request(number, log)).id
            for number in range(JOBS_PER_KILL * kills + 10)
        }
        kill_workers(workers, kills, chance, log, jobs)
        for job_id in accepted.values():
            jobs.wait(job_id, 600)
        again = check(jobs, accepted, log)
        jobs.close()
        return len(accepted), again


def faults_of_servers(kills: int, chance: random.Random) -> tuple[int, int]:
    """Jobs that were accepted, and begun again."""
    with tempfile.TemporaryDirectory() as name, fleet(Path(name)) as workers:
        accepted = kill_servers(workers, kills, chance)
        jobs = open_jobs(workers.database, workers.storage)
        found = sorted(job.id for job in jobs.list(limit=100_000))
        if found != sorted(accepted.values()):
            raise SystemExit(f"Accepted were {len(accepted)} jobs, but {len(found)} are there.")
        again = check(jobs, accepted, workers.folder / "log")
        jobs.close()
        return len(accepted), again


def open_jobs(database: str, storage: Path) -> Jobs:
    settings = JobSettings(workers=0, poll=0.05, queue_limit=100_000)
    return Jobs.open(database, storage, registry=Registry([builtin, pack]), settings=settings)


if __name__ == "__main__":
    main()
