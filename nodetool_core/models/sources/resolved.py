"""What a model reference stands for: files on this machine, and which ones they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """Weights on this machine, and which ones they are."""

    name: str
    """What the user called it; goes into messages."""
    path: Path
    kind: Literal["directory", "file"]
    revision: str
    """
    The commit on the Hub, or `blake3:…` / `stat:…` of local files.

    Of a decoder with a prior both of theirs, joined by `+`.
    """
    variant: str | None = None
    prior: ResolvedModel | None = None
    """What the card of a decoder names as its prior."""

    @property
    def own_revision(self) -> str:
        """The revision without that of the prior."""
        return (
            self.revision.removesuffix(f"+{self.prior.revision}") if self.prior else self.revision
        )

    @property
    def may_be_mapped(self) -> bool:
        """
        Whether its files may be mapped.

        One that is overwritten meanwhile takes the process with it; the Hub's cache never is.
        """
        return not self.revision.startswith("blake3:")
