"""
Processes that are killed at any moment.

Every accepted job ends exactly once, and what was finished is not computed again.
"""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from nodetool_core.jobs.job import JobRequest, JobSettings, JobState
from nodetool_core.jobs.service import Jobs
from nodetool_core.registry import Registry
from tests.jobs import graphs
from tests.jobs.faults import LEASE, check, kill_servers, kill_workers, request
from tests.jobs.pack.work import Die
from tests.jobs.processes import fleet

pytestmark = pytest.mark.slow

LOST_ATTEMPTS = 3
SUBMITTING = JobSettings(workers=0, poll=0.05)


def test_workers_killed_at_random_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, registry: Registry, database_url: str
) -> None:
    log = tmp_path / "log"
    with fleet(tmp_path, "--lease", str(LEASE), database=database_url) as workers:
        jobs = Jobs.open(workers.database, workers.storage, registry=registry, settings=SUBMITTING)
        accepted = {number: jobs.submit(request(number, log)).id for number in range(14)}
        kill_workers(workers, 2, random.Random(4), log, jobs)
        for job_id in accepted.values():
            assert jobs.wait(job_id, 120).state.ended, workers.said()
        assert check(jobs, accepted, log) >= 1
        jobs.close()


def test_a_server_killed_at_random_loses_nothing_that_it_accepted(
    tmp_path: Path, registry: Registry
) -> None:
    with fleet(tmp_path) as workers:
        accepted = kill_servers(workers, 3, random.Random(3))
        jobs = Jobs.open(workers.database, workers.storage, registry=registry, settings=SUBMITTING)
        assert sorted(accepted) == list(range(len(accepted)))
        assert sorted(job.id for job in jobs.list(limit=1000)) == sorted(accepted.values())
        check(jobs, accepted, tmp_path / "log")
        jobs.close()


def test_a_job_that_kills_its_workers_is_given_up(tmp_path: Path, registry: Registry) -> None:
    with fleet(tmp_path, "--lost-attempts", str(LOST_ATTEMPTS)) as workers:
        jobs = Jobs.open(workers.database, workers.storage, registry=registry, settings=SUBMITTING)
        deadly = jobs.submit(JobRequest(graphs.workflow(text=Die(log=str(tmp_path / "log")))))
        harmless = jobs.submit(JobRequest(graphs.words(), {"word": "alive"}, priority=-1))
        for _ in range(LOST_ATTEMPTS):
            assert workers.start().wait(60) == -signal.SIGKILL
        last = workers.start()
        failed = jobs.wait(deadly.id, 30)
        assert (failed.state, failed.attempts) == (JobState.FAILED, LOST_ATTEMPTS)
        assert failed.problems[0].code == "worker_lost"
        assert (tmp_path / "log").read_text().count("died") == LOST_ATTEMPTS
        assert jobs.wait(harmless.id, 30).state is JobState.DONE
        last.terminate()
        assert last.wait(30) == 0
        jobs.close()
