"""
Trained parts become a directory that any diffusers AutoPipeline loads.

Fp16, safetensors, no pickles.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from training.tiny_landscapes import autoencoder, diffusion, text


def pipeline(checkpoint: Path, codec: Path) -> Any:
    """Return the averaged weights of a checkpoint and its autoencoder as a pipeline in memory."""
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    words = text.tokenizer()
    models = torch.nn.ModuleDict({"unet": diffusion.build(), "encoder": text.encoder(words)})
    models.load_state_dict(state["average"], strict=True)
    make: Any = StableDiffusionPipeline
    return make(
        vae=autoencoder.scaled(autoencoder.load(codec), state["scale"]),
        text_encoder=models["encoder"],
        tokenizer=words,
        unet=models["unet"],
        scheduler=diffusion.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def export(checkpoint: Path, codec: Path, folder: Path) -> int:
    """Write the pipeline to ``folder`` and return how many bytes it takes."""
    pipe = pipeline(checkpoint, codec)
    pipe.to(dtype=torch.float16)
    pipe.save_pretrained(folder, safe_serialization=True)
    _tidy(folder / "vae" / "config.json")
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def unpack(folder: Path, checkpoint: Path, codec: Path) -> float:
    """
    Undo ``export``: write a checkpoint and an autoencoder to train further from.

    Returns the scale of the latents.
    """
    make: Any = StableDiffusionPipeline
    pipe = make.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    models = torch.nn.ModuleDict({"unet": pipe.unet, "encoder": pipe.text_encoder})
    scale = float(pipe.vae.config.scaling_factor)
    state = {"average": dict(models.named_parameters()), "scale": scale, "step": 0}
    torch.save(state, checkpoint)
    pipe.vae.save_pretrained(codec)
    return scale


def _tidy(config: Path) -> None:
    """Drop what the autoencoder writes about itself and then warns of when it reads it back."""
    values = json.loads(config.read_text())
    values.pop("block_out_channels", None)
    values.pop("_name_or_path", None)
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
