"""
Encode prompts of any length, with weights and embeddings, by the CLIP encoders of a pipeline.

A CLIP encoder reads 77 tokens, of which two mark begin and end. A longer prompt is read in chunks,
whose results follow one another; a chunk ends at a comma where one is near its end. A weight moves
the result of each of its tokens away from that of the empty prompt at its place, or towards it, as
in ComfyUI. Each chunk is a call of its own, so that a prompt without any of it is encoded as the
pipeline itself would, to the last bit.

Another library for this is compel. It reads a syntax of its own, and knows neither `(x:1.3)` nor
`BREAK`, which is what prompts and workflow files have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.models.diffusers.families import call_parameters
from nodetool_core.models.diffusers.modules import clone_sharing_parameters
from nodetool_core.models.diffusers.prompt_syntax import PromptError, Section

if TYPE_CHECKING:
    import torch
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    from nodetool_core.context import Pipeline

EMBEDDING = re.compile(r"embedding:(?P<name>[\w.-]+)")
"""Where a prompt names an embedding."""

_NEAR: Final = 20
"""Tokens before the end of a chunk among which a comma ends it early."""

_MOST_CHUNKS: Final = 40
_MARKS: Final = 2
"""Tokens of a chunk that mark its begin and its end."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a prompt, or a vector of an embedding in the place of one."""

    id: int
    weight: float
    vector: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the encoders of a pipeline make of a prompt."""

    tokens: torch.Tensor
    """One prompt, a result for each token."""
    pooled: torch.Tensor | None
    """One result for the whole, where the pipeline takes it."""
    chunks: int


class PromptEncoder:
    """One CLIP encoder of a pipeline with its tokenizer."""

    def __init__(
        self,
        tokenizer: CLIPTokenizer,
        model: CLIPTextModel | CLIPTextModelWithProjection,
        depth: int,
        *,
        is_normalized: bool,
        name: str,
    ) -> None:
        """
        Make an encoder.

        Args:
            tokenizer: Of the model.
            model: A CLIP text encoder.
            depth: Which layer's results count, from the last one, which is 1.
            is_normalized: Whether they are normalized like those of the last layer.
            name: What files of embeddings call the encoder: `clip_l`, `clip_g`.
        """
        self.tokenizer = tokenizer
        self.model = model
        self.name = name
        self.size = int(tokenizer.model_max_length)
        self._depth = depth
        self._is_normalized = is_normalized
        self._vectors: _Vectors | None = None
        self._empty: torch.Tensor | None = None

    @property
    def width(self) -> int:
        """How many numbers stand for a token."""
        return int(self.model.config.hidden_size)

    def tokens(
        self, section: Section, embeddings: Mapping[str, Mapping[str, torch.Tensor]]
    ) -> list[Token]:
        """
        Return the tokens of a section.

        Args:
            section: Its fragments.
            embeddings: Tensors of each embedding that a prompt may name.

        Raises PromptError for an embedding that is not there, or is for another encoder.
        """
        found: list[Token] = []
        for fragment in section:
            # Every second part is a name.
            for place, part in enumerate(EMBEDDING.split(fragment.text)):
                if place % 2:
                    vectors = self._vectors_of(part, embeddings)
                    mark = int(self.tokenizer.bos_token_id or 0)
                    found += [Token(mark, fragment.weight, vector) for vector in vectors]
                elif part.strip():
                    ids = self.tokenizer(part, add_special_tokens=False, verbose=False).input_ids
                    found += [Token(int(one), fragment.weight) for one in ids]
        return found

    def chunks(self, tokens: Sequence[Token]) -> list[Sequence[Token]]:
        """Return the tokens of a section in chunks that the encoder reads; one at least."""
        room, comma = self.size - _MARKS, self._comma()
        made = []
        while len(tokens) > room:
            near = (at for at in range(room - 1, room - 1 - _NEAR, -1) if tokens[at].id == comma)
            end = next(near, room - 1) + 1
            made.append(tokens[:end])
            tokens = tokens[end:]
        made.append(tokens)
        if len(made) > _MOST_CHUNKS:
            raise PromptError(f"is longer than {_MOST_CHUNKS * room} tokens")
        return made

    def encode(self, chunk: Sequence[Token]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weighted result for each token of a chunk, and the model's first result."""
        import torch

        tokens, first = self._run(chunk)
        weights = [1.0, *(one.weight for one in chunk)]
        if any(weight != 1 for weight in weights):
            by = torch.ones(tokens.shape[1], dtype=tokens.dtype, device=tokens.device)
            by[: len(weights)] = torch.tensor(weights, dtype=tokens.dtype)
            empty = self.empty()
            tokens = empty + (tokens - empty) * by[:, None]
        return tokens, first

    def empty(self) -> torch.Tensor:
        """Return the result for each token of an empty chunk."""
        if self._empty is None:
            self._empty = self._run(())[0]
        return self._empty

    def _run(self, chunk: Sequence[Token]) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        mark, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        ids = [mark, *(one.id for one in chunk), end]
        ids += [self.tokenizer.pad_token_id] * (self.size - len(ids))
        given = torch.tensor([ids], device=self.model.device)
        model: Callable[..., _Output] = self.model
        vectors = {at: one.vector for at, one in enumerate(chunk, 1) if one.vector is not None}
        if vectors:
            model = self._with_vectors(vectors)
        mask = None
        if getattr(self.model.config, "use_attention_mask", False):
            mask = torch.arange(self.size, device=given.device)[None] < len(chunk) + _MARKS
        with torch.no_grad():
            if self._depth == 1 and self._is_normalized:
                made = model(given, attention_mask=mask)[0]
                return made, made
            output = model(given, attention_mask=mask, output_hidden_states=True)
            made = output.hidden_states[-self._depth]
            return (self._normalized(made) if self._is_normalized else made), output[0]

    def _normalized(self, hidden: torch.Tensor) -> torch.Tensor:
        inner = getattr(self.model, "text_model", self.model)
        made: torch.Tensor = inner.get_submodule("final_layer_norm")(hidden)
        return made

    def _with_vectors(self, vectors: Mapping[int, torch.Tensor]) -> Callable[..., _Output]:
        """Return a model of the caller's own that reads vectors in the place of tokens."""
        if self._vectors is None:
            clone = clone_sharing_parameters(self.model)
            self._vectors = _Vectors(clone)
        self._vectors.given = vectors
        model: Callable[..., _Output] = self._vectors.model
        return model

    def _vectors_of(
        self, name: str, embeddings: Mapping[str, Mapping[str, torch.Tensor]]
    ) -> list[torch.Tensor]:
        tensors = embeddings.get(name)
        if tensors is None:
            known = ", ".join(sorted(embeddings)) or "none"
            raise PromptError(f"names the embedding {name!r}, which is not there (known: {known})")
        own = tensors.get(self.name)
        fitting = [own] if own is not None else list(tensors.values())
        for tensor in fitting:
            if tensor.ndim and tensor.shape[-1] == self.width and tensor.is_floating_point():
                return list(tensor.reshape(-1, self.width))
        widths = ", ".join(sorted({str(one.shape[-1]) for one in tensors.values() if one.ndim}))
        raise PromptError(
            f"names the embedding {name!r}, whose vectors have {widths or 'no'} numbers, where"
            f" the encoder has {self.width}"
        )

    def _comma(self) -> int:
        return int(self.tokenizer(",", add_special_tokens=False).input_ids[-1])


class _Output(tuple["torch.Tensor", ...]):
    """What an encoder returns."""

    hidden_states: tuple[torch.Tensor, ...]


class _Vectors:
    """Stands in place of `forward` of the layer that makes a vector of each token."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.given: Mapping[int, torch.Tensor] = {}
        layer = model.get_input_embeddings()  # type: ignore[operator]
        self._forward: Callable[[torch.Tensor], torch.Tensor] = layer.forward
        layer.forward = self

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        made = self._forward(tokens).clone()
        for place, vector in self.given.items():
            made[0, place] = vector.to(made.device, made.dtype)
        return made


def prompt_encoders(pipeline: Pipeline, clip_skip: int) -> list[PromptEncoder]:
    """
    Return the encoders of a pipeline whose prompts are read here; none for other families.

    Args:
        pipeline: Of the family of Stable Diffusion 1, 2 or XL.
        clip_skip: How many of the last layers are left out, besides those that the family leaves
            out anyway.
    """
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    taken = call_parameters(type(pipeline))
    if "prompt_embeds" not in taken or getattr(pipeline, "unet", None) is None:
        return []
    is_xl = "pooled_prompt_embeds" in taken
    found = []
    for suffix, name in (("", "clip_l"), ("_2", "clip_g")):
        model: object = getattr(pipeline, f"text_encoder{suffix}", None)
        tokenizer: object = getattr(pipeline, f"tokenizer{suffix}", None)
        if model is None and tokenizer is None:
            continue
        if not isinstance(model, (CLIPTextModel, CLIPTextModelWithProjection)):
            return []
        if not isinstance(tokenizer, CLIPTokenizer):
            return []
        depth = clip_skip + (2 if is_xl else 1)
        found.append(PromptEncoder(tokenizer, model, depth, is_normalized=not is_xl, name=name))
    return found if len(found) == 1 or is_xl else []


def encode_prompt(
    encoders: Sequence[PromptEncoder],
    texts: Sequence[tuple[Section, ...]],
    embeddings: Mapping[str, Mapping[str, torch.Tensor]],
    *,
    most_chunks: int | None = None,
) -> Encoded:
    """
    Return what encoders make of a prompt.

    Args:
        encoders: Of one pipeline; their results lie side by side.
        texts: The prompt for each encoder, in sections.
        embeddings: Tensors of each embedding that a prompt may name.
        most_chunks: How many chunks are read at most; all where it is None.

    Raises PromptError.
    """
    import torch

    all_chunks = [
        [
            chunk
            for section in sections
            for chunk in encoder.chunks(encoder.tokens(section, embeddings))
        ][:most_chunks]
        for encoder, sections in zip(encoders, texts, strict=True)
    ]
    count = max(map(len, all_chunks))
    parts, pooled = [], None
    for encoder, chunks in zip(encoders, all_chunks, strict=True):
        results = [encoder.encode(chunk) for chunk in chunks]
        first = results[0][1]
        pooled = first if first.ndim < results[0][0].ndim else pooled
        padding = [encoder.empty()] * (count - len(chunks))
        parts.append(torch.cat([*(tokens for tokens, _ in results), *padding], dim=1))
    return Encoded(parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1), pooled, count)


def padded(encoded: Encoded, encoders: Sequence[PromptEncoder], chunks: int) -> torch.Tensor:
    """Return the results for tokens, with those of empty chunks after them up to a number."""
    import torch

    if chunks == encoded.chunks:
        return encoded.tokens
    empty = torch.cat([encoder.empty() for encoder in encoders], dim=-1)
    return torch.cat([encoded.tokens, *[empty] * (chunks - encoded.chunks)], dim=1)
