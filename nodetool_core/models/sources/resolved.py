"""What a model reference stands for: files on this machine, and which ones they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class ResolvedPart:
    """A file or folder that takes the place of a component of another model."""

    component: str
    """What the model's pipeline calls it: `unet`, `text_encoder_2`."""
    model: ResolvedModel
    prefix: str = ""
    """What the names of its tensors begin with, in a file of several components."""

    @property
    def revision(self) -> str:
        """Which weights take the place of which component."""
        return f"{self.component}={self.model.revision}"


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
    parts: tuple[ResolvedPart, ...] = ()
    """What takes the place of its components; the revision ends with theirs."""
    is_configuration: bool = False
    """Whether it has configurations alone: all weights are those of the parts."""

    @property
    def own_revision(self) -> str:
        """The revision without those of the prior and the parts."""
        others = [self.prior.revision] if self.prior else []
        others += [one.revision for one in self.parts]
        return self.revision.removesuffix("".join(f"+{one}" for one in others))

    @property
    def may_be_mapped(self) -> bool:
        """
        Whether its files may be mapped.

        One that is overwritten meanwhile takes the process with it; the Hub's cache never is.
        """
        return not self.revision.startswith("blake3:")
