"""
Prompts of a call: weights, sections, embeddings, any length, for models that read them by CLIP.

What a prompt was read as is in the notes of the run wherever it is more than its text.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from nodes.huggingface.arguments import steps_of_call
from nodes.huggingface.model_kinds import EmbeddingModel
from nodetool_core import NodeError
from nodetool_core.models.diffusers.families import call_parameters
from nodetool_core.models.diffusers.prompt_changes import texts_of_steps
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
    parse,
    shown,
)
from nodetool_core.models.diffusers.prompts import warn_of_truncated_prompts
from nodetool_core.models.diffusers.step_prompts import (
    EncodedPair,
    StepPrompts,
    changes_prompts,
)

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
    "negative_prompt_2",
    "prompt_syntax",
    "embeddings",
    "clip_skip",
    "max_sequence_length",
)
"""Properties of the generating nodes that say what is drawn, and how prompts are read."""

_HINT: Final = "Set `prompt_syntax` to plain, or use a model of Stable Diffusion 1, 2 or XL."
_ZEROS: Final = "force_zeros_for_empty_prompt"


@dataclass(frozen=True)
class Prompts:
    """The properties of a call, with prompts encoded where they need more than the pipeline."""

    properties: dict[str, object]
    by_step: StepPrompts | None = None
    """What is read in each step, where that changes."""


def encoded_prompts(
    lease: Lease, wanted: Mapping[str, object], context: Context, *, warns: bool
) -> Prompts:
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
        return Prompts(left)
    pipeline = lease.pipeline
    encoders = prompt_encoders(pipeline, skipped)
    if not encoders:
        if not is_weighted:
            return Prompts(left)
        message = f"{type(pipeline).__name__} reads its prompts by no CLIP encoder alone."
        raise NodeError(message, _HINT, code="prompt_syntax_unsupported", where="prompt_syntax")
    texts = {name: str(left.get(name) or "") for name in _TEXTS}
    if not is_weighted and warns:
        warn_of_truncated_prompts(pipeline, texts, context.warn)
    steps = steps_of_call(pipeline, left) if changes_prompts(type(pipeline)) else None
    reading = _Reading(encoders, is_weighted, steps, context if warns else None)
    taken = call_parameters(type(pipeline))
    takes_negative = "negative_prompt_embeds" in taken
    with ExitStack() as stack:
        reading.open_embeddings(_files(files), texts.values(), stack, context)
        prompts = reading.steps("prompt", texts)
        negatives: list[Encoded] = []
        is_zero = not texts["negative_prompt"] and pipeline.config.get(_ZEROS)
        if takes_negative and not is_zero:
            negatives = reading.steps("negative_prompt", texts)
    # What the pipeline lacks stays, and is reported as not used.
    done = {
        "prompt": True,
        "clip_skip": True,
        "negative_prompt": takes_negative,
        "prompt_2": "prompt_2" in taken,
        "negative_prompt_2": "negative_prompt_2" in taken,
    }
    left = {name: value for name, value in left.items() if not done.get(name)}
    pairs = _pairs(prompts, negatives, encoders)
    by_step = StepPrompts(pairs) if len(set(map(id, pairs))) > 1 else None
    return Prompts(left | _arguments(pairs[0]), by_step)


def encoded_texts(
    lease: Lease,
    texts: Sequence[str],
    wanted: Mapping[str, object],
    context: Context,
    *,
    where: str,
    warns: bool,
) -> list[Encoded]:
    """
    Return further texts, encoded as the prompt of a call with a node's properties is.

    Args:
        lease: Of the pipeline that is called with them.
        texts: What is encoded.
        wanted: Property to value.
        context: Lends the files of embeddings, and takes notes.
        where: The property that errors name.
        warns: Whether notes are made.

    Raises NodeError where the model's family does not read prompts by CLIP alone.
    """
    pipeline = lease.pipeline
    skipped = wanted.get("clip_skip")
    encoders = prompt_encoders(pipeline, skipped if isinstance(skipped, int) else 0)
    if not encoders:
        message = f"{type(pipeline).__name__} takes one prompt alone."
        hint = f"Leave `{where}` empty, or use a model of Stable Diffusion 1, 2 or XL."
        raise NodeError(message, hint, code="prompts_unsupported", where=where)
    is_weighted = wanted.get("prompt_syntax") == "weighted"
    reading = _Reading(encoders, is_weighted, None, context if warns else None)
    with ExitStack() as stack:
        reading.open_embeddings(_files(wanted.get("embeddings")), texts, stack, context)
        return [reading.steps("prompt", {"prompt": text, "prompt_2": ""})[0] for text in texts]


_TEXTS: Final = ("prompt", "prompt_2", "negative_prompt", "negative_prompt_2")
"""Properties that are prompts."""

_UNSET: Final = ("clip_skip", "max_sequence_length")
"""Properties whose 0 means that the pipeline's own value is used."""


class _Reading:
    """Reads the prompts of one call."""

    def __init__(
        self,
        encoders: Sequence[PromptEncoder],
        is_weighted: bool,
        count: int | None,
        notes: Context | None,
    ) -> None:
        self._encoders = encoders
        self._is_weighted = is_weighted
        self._count = count
        """Steps in which prompts may differ; None where they can't be changed between steps."""
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

    def steps(self, prop: str, texts: Mapping[str, str]) -> list[Encoded]:
        """Return a prompt encoded for each step; those of equal texts are one."""
        try:
            own, second = (self._by_step(texts[name]) for name in (prop, f"{prop}_2"))
            made: dict[tuple[str, str], Encoded] = {}
            for pair in zip(own, second, strict=True):
                if pair not in made:
                    made[pair] = self._encoded(prop, *pair)
        except PromptError as error:
            message = f"{prop} {error}."
            raise NodeError(message, "Change it.", code="invalid_value", where=prop) from error
        self._note_changes(prop, texts[prop], own)
        return [made[pair] for pair in zip(own, second, strict=True)]

    def _by_step(self, text: str) -> list[str]:
        if not self._is_weighted or self._count is None:
            return [text]
        return texts_of_steps(text, self._count)

    def _encoded(self, prop: str, text: str, second: str) -> Encoded:
        """Return a prompt encoded; the second of two encoders reads the second text, if any."""
        texts = [text, second or text][: len(self._encoders)]
        if len(self._encoders) == 1:
            texts = [text or second]
        sections = [self._sections(one) for one in texts]
        most = None if self._is_weighted else 1
        made = encode_prompt(self._encoders, sections, self._embeddings, most_chunks=most)
        self._note(prop, text, sections[0], made.chunks)
        return made

    def _sections(self, text: str) -> tuple[Section, ...]:
        return parse(text) if self._is_weighted else ((Fragment(text),),)

    def _note_changes(self, prop: str, text: str, steps: Sequence[str]) -> None:
        if self._notes is None or not self._is_weighted:
            return
        begins = [place for place, one in enumerate(steps) if not place or one != steps[place - 1]]
        if len(begins) > 1:
            shown = [f"{steps[place]!r} from step {place + 1}" for place in begins[:_SHOWN]]
            more = ", …" if len(begins) > _SHOWN else ""
            self._notes.warn(f"{prop} changes: {', '.join(shown)}{more}.", steps=list(steps))
        elif self._count is None and texts_of_steps(text, 1) != [text]:
            self._notes.warn(
                f"{prop} would change while the image is made, which this model's pipeline can't"
                " do; it is read as text."
            )

    def _note(self, prop: str, text: str, sections: tuple[Section, ...], chunks: int) -> None:
        if self._notes is None or not self._is_weighted:
            return
        is_plain = len(sections) == 1 and all(one.weight == 1 for one in sections[0])
        if chunks > 1 or not is_plain or EMBEDDING.search(text):
            parts = f", in {chunks} parts" if chunks > 1 else ""
            self._notes.warn(
                f"{prop} is read as {shown(sections)!r}{parts}.",
                prompt=[[[one.text, one.weight] for one in section] for section in sections],
                parts=chunks,
            )


_SHOWN: Final = 4
"""Changes of a prompt that a note has."""


def _pairs(
    prompts: Sequence[Encoded], negatives: Sequence[Encoded], encoders: Sequence[PromptEncoder]
) -> list[EncodedPair]:
    """Return prompt and negative of each step, all of one length; those of equal ones are one."""
    chunks = max(one.chunks for one in (*prompts, *negatives))
    made: dict[tuple[int, int], EncodedPair] = {}
    found = []
    for place, prompt in enumerate(prompts):
        negative = negatives[place] if negatives else None
        key = (id(prompt), id(negative))
        if key not in made:
            made[key] = EncodedPair(
                padded(prompt, encoders, chunks),
                prompt.pooled,
                None if negative is None else padded(negative, encoders, chunks),
                None if negative is None else negative.pooled,
            )
        found.append(made[key])
    return found


def _arguments(pair: EncodedPair) -> dict[str, object]:
    """Return the arguments that a call begins with."""
    made = {
        "prompt_embeds": pair.prompt,
        "pooled_prompt_embeds": pair.pooled,
        "negative_prompt_embeds": pair.negative,
        "negative_pooled_prompt_embeds": pair.negative_pooled,
    }
    return {name: value for name, value in made.items() if value is not None}


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
