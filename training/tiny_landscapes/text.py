"""
The words: a small byte-pair vocabulary learnt from the captions, and a two-layer CLIP text encoder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.tiny_landscapes import captions, scenes

LENGTH = 32
START, END = "<|startoftext|>", "<|endoftext|>"
#: CLIP's own pattern, so that the merges are learnt on the pieces the tokenizer will cut.
PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


def corpus(count: int, seed: int = 7) -> list[str]:
    """Captions of ``count`` scenes, half of them as edits."""
    rng = np.random.default_rng(seed)
    lines: list[str] = []
    for index in range(count):
        before, after = scenes.variants(scenes.sample(10_000_000 + index), 2)
        lines.append(captions.caption(after, rng, after.differs(before) if index % 2 else ()))
    return lines


def tokenizer(size: int = 700) -> CLIPTokenizer:
    """
    Return a lower-case vocabulary of about ``size`` pieces.

    Bytes, their word-ending forms, merges, two markers.
    """
    learner = Tokenizer(
        models.BPE(unk_token=END, end_of_word_suffix="</w>", continuing_subword_prefix="")
    )
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size - 256,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
        special_tokens=[],
    )
    learner.train_from_iterator(corpus(6000), trainer)
    model: dict[str, Any] = json.loads(learner.to_str())["model"]
    pieces = list(
        dict.fromkeys([*sorted(alphabet), *(letter + "</w>" for letter in sorted(alphabet))])
    )
    pieces = list(dict.fromkeys([*pieces, *sorted(model["vocab"], key=model["vocab"].__getitem__)]))
    vocabulary = {piece: index for index, piece in enumerate([*pieces, START, END])}
    merges = [tuple(merge) for merge in model["merges"]]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)


def encoder(words: CLIPTokenizer, width: int = 128) -> CLIPTextModel:
    """Return an untrained text encoder for that vocabulary."""
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=width * 3,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        projection_dim=width,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return CLIPTextModel(config)


def teach(
    model: CLIPTextModel, words: CLIPTokenizer, steps: int, batch: int = 96, rate: float = 1e-3
) -> list[float]:
    """
    Teach the encoder what captions mean before the denoiser listens.

    A minute here saves it most of an hour.

    From the last token and from the mean of those after it, linear maps must tell the hour, the
    season and every element of the scene. Returns the share of hours and seasons told rightly in
    the last tenth of the steps; a caption that leaves them out cannot be told, so this stays below
    one.
    """
    width, kinds = (
        model.config.hidden_size,
        len(scenes.TIMES) + len(scenes.SEASONS) + len(scenes.ELEMENTS),
    )
    heads = torch.nn.ModuleList([torch.nn.Linear(width, kinds) for _ in range(2)])
    optimizer = torch.optim.AdamW(
        [*model.parameters(), *heads.parameters()], lr=rate, weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    rng, right = np.random.default_rng(9), []
    for step in range(steps):
        pairs = [
            scenes.variants(scenes.sample(int(rng.integers(1 << 30))), 2) for _ in range(batch)
        ]
        lines = [
            captions.caption(b, rng, b.differs(a) if i % 2 else ())
            for i, (a, b) in enumerate(pairs)
        ]
        ids = words(
            lines, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
        ).input_ids
        hour = torch.tensor([scenes.TIMES.index(b.time) for _, b in pairs])
        season = torch.tensor([scenes.SEASONS.index(b.season) for _, b in pairs])
        there = torch.tensor([[float(b.has(name)) for name in scenes.ELEMENTS] for _, b in pairs])
        hidden = model(ids)[0]
        after = (ids == words.eos_token_id).float()[..., None]
        last = hidden[torch.arange(batch), after[..., 0].argmax(dim=1)]
        error = hidden.new_zeros(())
        for head, seen in zip(
            heads, (last, (hidden * after).sum(1) / after.sum(1).clamp(min=1)), strict=True
        ):
            times, seasons, elements = head(seen).split(
                [len(scenes.TIMES), len(scenes.SEASONS), len(scenes.ELEMENTS)], dim=1
            )
            error = (
                error
                + functional.cross_entropy(times, hour)
                + functional.cross_entropy(seasons, season)
            )
            error = error + 2 * functional.binary_cross_entropy_with_logits(elements, there)
        optimizer.zero_grad(set_to_none=True)
        error.backward()
        optimizer.step()
        schedule.step()
        if step >= steps * 0.9:
            right.append(
                (
                    float((times.argmax(1) == hour).float().mean()),
                    float((seasons.argmax(1) == season).float().mean()),
                )
            )
    return [float(value) for value in np.mean(right, axis=0)]


def save(words: CLIPTokenizer, folder: Path) -> None:
    """Write the tokenizer where a pipeline looks for it."""
    words.save_pretrained(folder)


__all__ = ["LENGTH", "corpus", "encoder", "save", "teach", "tokenizer"]
