"""`nodetool worker`: what it refuses, and that it runs jobs with nothing but a database."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nodetool_core.cli.app import execute
from nodetool_core.jobs.job import JobRequest, JobSettings, JobState
from nodetool_core.jobs.service import Jobs
from nodetool_core.registry import Registry
from tests.jobs import graphs
from tests.jobs.processes import fleet


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--database", "nonsense://x"], "database_failed"),
        (["--database", "postgresql://x:topsecret@127.0.0.1:1/a"], "database_failed"),
        (["--database", "postgresql://x:topsecret@127.0.0.1:none/a"], "database_failed"),
        (["--database", "nonsense://127.0.0.1/a?password=topsecret"], "database_failed"),
        (["--storage", "nonsense://x"], "storage_failed"),
        (["--storage", "nonsense://x:topsecret@@host/y"], "storage_failed"),
        (["--broker", "nonsense://x"], "unknown_broker"),
    ],
)
def test_what_it_cannot_use_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    given = {
        "--database": str(tmp_path / "jobs.sqlite"),
        "--storage": str(tmp_path / "files"),
    } | dict([options])
    assert execute(["worker", *(word for pair in given.items() for word in pair)]) == 1
    said = capsys.readouterr()
    assert told in said.err
    assert "Traceback" not in said.err and "topsecret" not in said.err


def test_a_command_that_has_ended_leaves_logging_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its stderr may be closed by then, as those of tests are."""
    loggers = [logging.getLogger(name) for name in ("", "uvicorn.access", "PIL")]
    before = [
        (logger.level, logger.handlers[:], logger.propagate, logger.disabled) for logger in loggers
    ]
    assert (
        execute(
            [
                "worker",
                "--database",
                str(tmp_path / "jobs.sqlite"),
                "--storage",
                "nonsense://x",
                "--log-format",
                "text",
            ]
        )
        == 1
    )
    assert "models that jobs may use" in capsys.readouterr().err
    logging.getLogger("nodetool_core").warning("nobody listens")
    assert capsys.readouterr().err == ""
    assert [
        (logger.level, logger.handlers[:], logger.propagate, logger.disabled) for logger in loggers
    ] == before


@pytest.mark.parametrize("how", ["flag", "environment", "file"])
def test_models_are_listed_where_the_server_lists_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    given = [
        "--graphs",
        str(tmp_path),
        "--storage",
        "nonsense://x",
        "--database",
        str(tmp_path / "jobs.sqlite"),
    ]
    (tmp_path / "serve.toml").write_text('models = ["somebody/model"]\nlog_format = "text"\n')
    if how == "environment":
        monkeypatch.setenv("NODETOOL_SERVE_MODELS", "somebody/model")
    more = {
        "flag": ["--model", "somebody/model"],
        "file": ["--config", str(tmp_path / "serve.toml")],
    }.get(how, [])
    assert execute(["worker", *given, *more]) == 1
    listed = next(
        line for line in capsys.readouterr().err.splitlines() if "models that jobs may use" in line
    )
    assert (
        "somebody/model" in listed
        and "nodetool/tiny-landscapes" in listed
        and listed.count("/") == 3
    )


@pytest.mark.slow
def test_without_a_broker_workers_find_jobs_in_the_database(
    tmp_path: Path, registry: Registry
) -> None:
    with fleet(tmp_path, "--concurrency", "2", "--log-format", "text") as workers:
        jobs = Jobs.open(
            workers.database,
            workers.storage,
            registry=registry,
            settings=JobSettings(workers=0, poll=0.05),
        )
        accepted = [
            jobs.submit(JobRequest(graphs.words(), {"word": str(number)})).id for number in range(5)
        ]
        process = workers.start()
        assert [jobs.wait(job_id, 60).state for job_id in accepted] == [JobState.DONE] * 5, (
            workers.said()
        )
        process.terminate()
        assert process.wait(30) == 0
        assert all(f"job ended job_id={job_id}" in workers.said() for job_id in accepted)
        jobs.close()
