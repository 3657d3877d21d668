"""
Secrets of this machine: keys of hosted services, by name.

A secret comes from the environment, else from one file: `NODETOOL_SETTINGS`, by default
`nodetool/settings.env` in the user's configuration folder, with lines of the form `NAME=value`.
Nobody but its owner may be able to read that file.

Where secrets never are. A node gets a `Secret`, whose text has to be requested: it shows its name
in place of its value, has no JSON form and can't be pickled, so that it gets into no log, no
result, no cache and no image by accident. What was handed out is taken out of every message that
leaves a run (`redact`, `scrub`). A workflow that holds what looks like a key is refused
(`kind_of_key`), because a workflow is shared, and written into every image that it makes.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nodetool_core.assets.files import write_problem
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.values import TOO_DEEP, levels

_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_LEAST_REDACTED: Final = 6
"""Characters below which a value is left in messages: it would take words apart."""
_LONGEST_LOOKED_AT: Final = 4096
"""Longer texts are encoded files, not keys."""

_KEYS: Final = (
    ("a Hugging Face token", r"(?<![A-Za-z0-9])(?:hf|hf_oauth|api_org)_[A-Za-z0-9]{30,}"),
    ("a Replicate token", r"(?<![A-Za-z0-9])r8_[A-Za-z0-9]{30,}"),
    ("a Together key", r"(?<![A-Za-z0-9])tgp_v1_[A-Za-z0-9_-]{30,}"),
    (
        "a fal.ai key",
        r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{32}(?![0-9a-f])",
    ),
    ("an API key", r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{24,}"),
    (
        "a GitHub token",
        r"(?<![A-Za-z0-9])(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    ),
    ("an AWS access key", r"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![A-Za-z0-9])"),
    (
        "a signed token",
        r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    (
        "an authorization header",
        r"(?i:(?<![a-z])(?:bearer|authorization:)\s+[A-Za-z0-9._~+/=-]{20,})",
    ),
    ("an address with a password", r"[a-z]{2,}://[^\s/:@]+:[^\s/@]+@"),
)
_LOOKS_LIKE_A_KEY: Final = re.compile("|".join(f"({pattern})" for _, pattern in _KEYS))
_LONG_WORD: Final = re.compile(r"\S{12}")
"""What every key holds and few texts do, so that those are looked at in a microsecond."""


class SecretError(NodetoolError):
    """A secret is not set, can't be used, or its file is not safe."""


class Secret:
    """A secret by name. `reveal()` returns its text; nothing else does."""

    __slots__ = ("_text", "name")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text

    def reveal(self) -> str:
        """Return the text itself: for the request that needs it, and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    def __reduce__(self) -> Any:
        raise TypeError(f"The secret {self.name} can't be pickled: ask for it where it is used.")


class Secrets:
    """What this machine knows. Safe to use from several threads."""

    def __init__(
        self, path: Path | None = None, *, environment: Mapping[str, str] | None = None
    ) -> None:
        """
        Look secrets up in an environment and a settings file.

        Args:
            path: The settings file; that of this user unless given.
            environment: Looked at first; the environment of the process unless given.
        """
        self._path = path
        self._environment: Mapping[str, str] = os.environ if environment is None else environment
        self._handed_out: dict[str, str] = {}

    @property
    def path(self) -> Path:
        """The settings file, whether it exists or not."""
        return self._path or settings_path(self._environment)

    def secret(self, *names: str) -> Secret:
        """
        Return the first of these that is set. Raises SecretError where none is, with what to do.
        """
        for name in names:
            text = self._text_of(name)
            if text:
                if not text.isascii() or not text.isprintable() or " " in text:
                    message = "holds characters that no key has, such as spaces or line breaks."
                    raise SecretError(
                        Problem(
                            "unusable_secret",
                            name,
                            message,
                            f"Set it again: nodetool secrets set {name}",
                        )
                    )
                self._handed_out[text] = name
                return Secret(name, text)
        named = " or ".join(names)
        hint = f"Set the environment variable, or run: nodetool secrets set {names[-1]}"
        raise SecretError(
            Problem(
                "missing_secret",
                named,
                "There is no key." if len(names) == 1 else "None of these keys is set.",
                hint,
            )
        )

    def has(self, name: str) -> bool:
        """
        Return whether a secret of this name is set. Raises SecretError where the file is not safe.
        """
        return bool(self._text_of(name))

    def setting(self, name: str, default: str = "") -> str:
        """
        Return a value that is no secret, from the same two places.

        Such as the address of a service.
        """
        return self._text_of(name) or default

    def places(self) -> dict[str, str]:
        """Return every name in the file and where its value comes from: `environment` or `file`."""
        return {
            name: "environment" if self._environment.get(name, "").strip() else "file"
            for name in sorted(self._file())
        }

    def set(self, name: str, value: str) -> Path:
        """Write a value into the file, readable by its owner alone. Raises SecretError."""
        if not _NAME.fullmatch(name):
            message = "is no name for a secret: capital letters, digits and _, such as HF_TOKEN."
            raise SecretError(Problem("invalid_name", name, message))
        value = value.strip()
        if not value or not value.isprintable():
            raise SecretError(
                Problem(
                    "unusable_secret",
                    name,
                    "needs a value of one line.",
                    "Paste the key as the service shows it.",
                )
            )
        return self._write(name, f"{name}={value}\n")

    def remove(self, name: str) -> Path:
        """Take a value out of the file. Raises SecretError where it is not there."""
        known = self._file()
        if name not in known:
            from nodetool_core.errors import near_miss

            hint = near_miss(name, known) or "nodetool secrets list names those there are."
            raise SecretError(Problem("missing_secret", name, f"is not in {self.path}.", hint))
        return self._write(name, "")

    def redact(self, text: str) -> str:
        """Return a text with the name of each secret that was handed out in place of its value."""
        # The longest first: one may be the beginning of another.
        for value, name in sorted(self._handed_out.items(), key=lambda pair: -len(pair[0])):
            if len(value) >= _LEAST_REDACTED and value in text:
                text = text.replace(value, f"[{name}]")
        return text

    def scrub(self, error: BaseException) -> BaseException:
        """
        Return the exception without secrets in its texts, nor in those that led to it.

        What can't be cleaned is replaced.
        """
        if not self._handed_out:
            return error
        pending, seen = [error], {id(error)}
        while pending:
            found = pending.pop()
            self._scrub_one(found)
            for earlier in (found.__cause__, found.__context__, *getattr(found, "exceptions", ())):
                if earlier is not None and id(earlier) not in seen:
                    seen.add(id(earlier))
                    pending.append(earlier)
            if self.redact(str(found)) != str(found):
                return RuntimeError(f"{type(error).__name__}: {self.redact(str(error))}")
        return error

    def _scrub_one(self, error: BaseException) -> None:
        error.args = tuple(
            self.redact(part) if isinstance(part, str) else part for part in error.args
        )
        if isinstance(error, NodetoolError):
            error.problems = tuple(
                Problem(
                    found.code,
                    self.redact(found.where),
                    self.redact(found.message),
                    self.redact(found.hint),
                    found.level,
                )
                for found in error.problems
            )
        if notes := getattr(error, "__notes__", None):
            notes[:] = [self.redact(note) for note in notes]

    def _text_of(self, name: str) -> str:
        return self._environment.get(name, "").strip() or self._file().get(name, "")

    def _file(self) -> dict[str, str]:
        """
        Return the values in the file.

        Raises SecretError where others can read it, or a line is wrong.
        """
        path = self.path
        try:
            with path.open(encoding="utf-8") as file:
                _check_mode(path, os.fstat(file.fileno()))
                lines = file.read().splitlines()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise SecretError(
                Problem(
                    "unreadable_settings",
                    str(path),
                    f"can't be read: {reason}.",
                    "Fix or remove the file.",
                )
            ) from None
        values: dict[str, str] = {}
        for number, line in enumerate(lines, 1):
            name, equals, value = line.partition("=")
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if not equals or not _NAME.fullmatch(name.strip()):
                # The line is not shown: what stands in it may be a key.
                raise SecretError(
                    Problem(
                        "invalid_settings", f"{path}:{number}", "is no line of the form NAME=value."
                    )
                )
            values[name.strip()] = value.strip()
        return values

    def _write(self, name: str, line: str) -> Path:
        """Put a line in place of those that set `name`; comments stay."""
        self._file()
        # A link is followed, so that the file it leads to stays where it is.
        path = self.path.resolve()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            old = (
                path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
            )
            kept = "".join(text for text in old if text.partition("=")[0].strip() != name)
            # Not atomic_write: this file may never exist with the mode of a common file, not for a
            # moment.
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".settings-")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(kept if not kept or kept.endswith("\n") else f"{kept}\n")
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            finally:
                Path(temporary).unlink(missing_ok=True)
        except OSError as error:
            raise SecretError(write_problem(path, error)) from None
        return path


def settings_path(environment: Mapping[str, str]) -> Path:
    """
    Return where the settings file is.

    NODETOOL_SETTINGS, else in the user's configuration folder as the platform has it.
    """
    chosen = environment.get("NODETOOL_SETTINGS")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        folder = Path(environment.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        configured = environment.get("XDG_CONFIG_HOME", "")
        # A relative path is to be ignored, by the specification.
        folder = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return folder / "nodetool" / "settings.env"


def kind_of_key(value: object) -> str:
    """
    Return what a value, or a text somewhere inside it, looks like (`a Hugging Face token`).

    Empty where it holds no key.

    Raises RecursionError where it is nested too deeply to be looked through, or for what else is
    done to it.
    """
    if isinstance(value, str):
        return _kind_of_text(value)
    for level in levels(value, once=True):
        for one in level:
            text = one if isinstance(one, str) else getattr(one, "uri", None)
            if isinstance(text, str) and (found := _kind_of_text(text)):
                return found
    return ""


def _kind_of_text(text: str) -> str:
    found = (
        _LOOKS_LIKE_A_KEY.search(text)
        if len(text) <= _LONGEST_LOOKED_AT and _LONG_WORD.search(text)
        else None
    )
    return _KEYS[found.lastindex - 1][0] if found and found.lastindex else ""


def key_problem(value: object, where: str) -> Problem | None:
    """
    Return the problem of a value that holds what looks like a key, or can't be looked through.

    The value itself is not shown.
    """
    try:
        kind = kind_of_key(value)
    except RecursionError:
        return Problem("invalid_value", where, TOO_DEEP)
    if not kind:
        return None
    message = (
        f"holds what looks like {kind}. A workflow is shared, and is written into the images that"
        " it makes."
    )
    hint = (
        "Take it out, and set it on this machine: nodetool secrets set NAME. If others have seen"
        " the file, revoke the key."
    )
    return Problem("secret_in_workflow", where, message, hint)


def _check_mode(path: Path, found: os.stat_result) -> None:
    if os.name != "posix":
        return
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = (
            f"can be read or written by others (mode {stat.S_IMODE(found.st_mode):o}), so it is not"
            " used."
        )
        raise SecretError(Problem("unsafe_settings", str(path), message, f"Run: chmod 600 {path}"))
    if found.st_uid not in (os.geteuid(), 0):
        raise SecretError(
            Problem(
                "unsafe_settings",
                str(path),
                "belongs to another user, so it is not used.",
                "Make a file of your own.",
            )
        )
