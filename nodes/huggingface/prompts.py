"""
Prompts of a call: weights, sections, embeddings, any length, for models that read them by CLIP.

What a prompt was read as is in the notes of the run wherever it is more than its text.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from nodes.huggingface.model_kinds import EmbeddingModel
from nodetool_core import NodeError
from nodetool_core.models.diffusers.families import call_parameters
from nodetool_core.models.diffusers.prompt_encoding import (
    EMBEDDING,
    Encoded,
    PromptEncoder,
    encode_prompt,
    padded,
    prompt_encoders,
)
from nodetool_core.models.diffusers.prompt_syntax import (
    Fragment,
    PromptError,
    Section,
    edits,
    parse,
    shown,
)
from nodetool_core.models.diffusers.prompts import warn_of_truncated_prompts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch

    from nodetool_core import Context
    from nodetool_core.context import Lease

PromptSyntax = Literal["plain", "weighted"]

GENERATION_PROPERTIES: Final = (
    "prompt",
    "negative_prompt",
    "num_inference_steps",
    "guidance_scale",
    "prompt_2",
    "prompt_syntax",
    "embeddings",
    "clip_skip",
    "max_sequence_length",
)
"""Properties of the generating nodes that say what is drawn, and how prompts are read."""

_HINT: Final = "Set `prompt_syntax` to plain, or use a model of Stable Diffusion 1, 2 or XL."
_ZEROS: Final = "force_zeros_for_empty_prompt"


def encoded_prompts(
    lease: Lease, wanted: Mapping[str, object], context: Context, *, warns: bool
) -> dict[str, object]:
    """
    Return a node's properties with its prompts encoded, where they need more than the pipeline.

    Args:
        lease: Of the pipeline that is called with them.
        wanted: Property to value.
        context: Lends the files of embeddings, and takes notes.
        warns: Whether notes are made.

    Raises:
        NodeError: A prompt can't be read, or this model reads none of this syntax.
        ModelError: The file of an embedding can't be read.
    """
    left = {name: value or None if name in _UNSET else value for name, value in wanted.items()}
    is_weighted = left.pop("prompt_syntax", "plain") == "weighted"
    files = left.pop("embeddings", None) or []
    if files and not is_weighted and warns:
        context.warn("embeddings is not used: prompt_syntax is plain.")
    clip_skip = left.get("clip_skip")
    skipped = clip_skip if isinstance(clip_skip, int) else 0
    if not (is_weighted or skipped):
        return left
    encoders = prompt_encoders(lease.pipeline, skipped)
    if not encoders:
        if not is_weighted:
            return left
        message = f"{type(lease.pipeline).__name__} reads its prompts by no CLIP encoder alone."
        raise NodeError(message, _HINT, code="prompt_syntax_unsupported", where="prompt_syntax")
    texts = {name: str(left.get(name) or "") for name in ("prompt", "prompt_2", "negative_prompt")}
    if not is_weighted and warns:
        warn_of_truncated_prompts(lease.pipeline, texts, context.warn)
    reading = _Reading(encoders, is_weighted, context if warns else None)
    with ExitStack() as stack:
        reading.open_embeddings(_files(files), texts.values(), stack, context)
        prompt = reading.encoded("prompt", texts["prompt"], texts["prompt_2"])
        negative = None
        taken = call_parameters(type(lease.pipeline))
        takes_negative = "negative_prompt_embeds" in taken
        is_zero = not texts["negative_prompt"] and lease.pipeline.config.get(_ZEROS)
        if takes_negative and not is_zero:
            negative = reading.encoded("negative_prompt", texts["negative_prompt"])
    # What the pipeline lacks stays, and is reported as not used.
    done = {
        "prompt": True,
        "clip_skip": True,
        "negative_prompt": takes_negative,
        "prompt_2": "prompt_2" in taken,
    }
    left = {name: value for name, value in left.items() if not done.get(name)}
    return left | _arguments(prompt, negative, encoders)


_UNSET: Final = ("clip_skip", "max_sequence_length")
"""Properties whose 0 means that the pipeline's own value is used."""


class _Reading:
    """Reads the prompts of one call."""

    def __init__(
        self, encoders: Sequence[PromptEncoder], is_weighted: bool, notes: Context | None
    ) -> None:
        self._encoders = encoders
        self._is_weighted = is_weighted
        self._notes = notes
        self._embeddings: dict[str, Mapping[str, torch.Tensor]] = {}

    def open_embeddings(
        self,
        files: Mapping[str, EmbeddingModel],
        texts: Iterable[str],
        stack: ExitStack,
        context: Context,
    ) -> None:
        """Read the files of the embeddings that prompts name."""
        if not self._is_weighted:
            return
        names = {found["name"] for text in texts for found in EMBEDDING.finditer(text)}
        for name in sorted(names):
            ref = files.get(_stem(name)) or EmbeddingModel(repo_id=_file_name(name))
            part = stack.enter_context(context.models.use(ref, "tensors", context=context)).part
            self._embeddings[name] = part.tensors

    def encoded(self, prop: str, text: str, second: str = "") -> Encoded:
        """Return a prompt encoded; the second of two encoders reads the second text, if any."""
        texts = [text, second or text][: len(self._encoders)]
        if len(self._encoders) == 1:
            texts = [text or second]
        try:
            sections = [self._sections(one) for one in texts]
            most = None if self._is_weighted else 1
            made = encode_prompt(self._encoders, sections, self._embeddings, most_chunks=most)
        except PromptError as error:
            message = f"{prop} {error}."
            raise NodeError(message, "Change it.", code="invalid_value", where=prop) from error
        self._note(prop, text, sections[0], made.chunks)
        return made

    def _sections(self, text: str) -> tuple[Section, ...]:
        return parse(text) if self._is_weighted else ((Fragment(text),),)

    def _note(self, prop: str, text: str, sections: tuple[Section, ...], chunks: int) -> None:
        if self._notes is None or not self._is_weighted:
            return
        if edited := edits(text):
            self._notes.warn(
                f"{prop}: {', '.join(map(repr, edited))} would change while the image is made,"
                " which is not done; it is read as text."
            )
        is_plain = len(sections) == 1 and all(one.weight == 1 for one in sections[0])
        if chunks > 1 or not is_plain or EMBEDDING.search(text):
            parts = f", in {chunks} parts" if chunks > 1 else ""
            self._notes.warn(
                f"{prop} is read as {shown(sections)!r}{parts}.",
                prompt=[[[one.text, one.weight] for one in section] for section in sections],
                parts=chunks,
            )


def _arguments(
    prompt: Encoded, negative: Encoded | None, encoders: Sequence[PromptEncoder]
) -> dict[str, object]:
    chunks = max(prompt.chunks, negative.chunks if negative else 0)
    made: dict[str, object] = {"prompt_embeds": padded(prompt, encoders, chunks)}
    if prompt.pooled is not None:
        made["pooled_prompt_embeds"] = prompt.pooled
    if negative is not None:
        made["negative_prompt_embeds"] = padded(negative, encoders, chunks)
        if negative.pooled is not None:
            made["negative_pooled_prompt_embeds"] = negative.pooled
    return made


def _files(files: object) -> dict[str, EmbeddingModel]:
    """Return the references of a node's embeddings by the names that prompts call them by."""
    given = files if isinstance(files, list) else []
    return {_stem(ref.path or ref.repo_id): ref for ref in given if not ref.is_empty()}


def _stem(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.name.removesuffix(path.suffix) if path.suffix in _SUFFIXES else path.name


_SUFFIXES: Final = (".safetensors", ".sft", ".pt", ".bin")


def _file_name(name: str) -> str:
    """Return the name of a file in the folders of models."""
    return name if PurePosixPath(name).suffix in _SUFFIXES else f"{name}.safetensors"
