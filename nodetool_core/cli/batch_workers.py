"""The workers that `nodetool run --workers` sends the items of a batch to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.cli.results import ImageFile
from nodetool_core.errors import Problem, missing_package

if TYPE_CHECKING:
    from nodetool_core.engine.options import RunOptions
    from nodetool_core.jobs.executor import JobExecutor
    from nodetool_core.jobs.job import StoredFile
    from nodetool_core.registry import Registry

_SUFFIXES: Final = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}


def open_workers(where: str, options: RunOptions, registry: Registry) -> JobExecutor:
    """
    Return the workers that a text of the command line names.

    Args:
        where: Their broker, such as `redis://queue:6379/0`, with their database and storage as
            the environment has them; or the configuration file that servers and workers share.

    Raises WrongUseError where a package is missing or there is no such file, JobsError where the
    workers can't be reached.
    """
    from nodetool_core.engine.options import NodePolicy

    try:
        from nodetool_core.jobs.executor import JobExecutor
        from nodetool_core.jobs.job import JobOptions
        from nodetool_core.server.settings import Settings
    except ModuleNotFoundError as error:
        raise WrongUseError(missing_package("--workers", error, "worker")) from error
    is_broker = "://" in where
    if not is_broker and not Path(where).is_file():
        message = "is neither the address of a broker nor a configuration file."
        hint = "Give redis://HOST:6379/0, or the file that nodetool worker --config takes."
        raise WrongUseError(Problem("missing_file", f"--workers {where}", message, hint))
    settings = Settings.read(None, broker=where) if is_broker else Settings.read(Path(where))
    policy = options.policies.get("*", NodePolicy())
    return JobExecutor.open(
        settings.jobs_database,
        settings.jobs_storage,
        broker=settings.broker,
        registry=registry,
        options=JobOptions(
            outputs=options.outputs if options.outputs is None else list(options.outputs),
            on_error=options.on_error,
            use_cache=options.use_cache,
            node_timeout=policy.timeout,
            node_attempts=policy.attempts,
        ),
        open_image=_as_it_is,
    )


def _as_it_is(file: StoredFile, data: bytes) -> ImageFile:
    """Return an image as the file that a worker wrote."""
    suffix = _SUFFIXES.get(file.media_type, ".png")
    return ImageFile(data, suffix, (file.width or 0, file.height or 0))
