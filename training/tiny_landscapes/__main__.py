"""``python -m training.tiny_landscapes``: draw scenes, train the model, further too, export it."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.tiny_landscapes import autoencoder, data, diffusion, geometry, render, scenes, text
from training.tiny_landscapes.export import export, unpack
from training.tiny_landscapes.parallel import launch


def _train(options: argparse.Namespace) -> None:
    """
    Render, train the autoencoder, encode, teach the text encoder, train the denoiser.

    One process per core.
    """
    out, world = Path(options.out), int(options.processes)
    out.mkdir(parents=True, exist_ok=True)
    images = tuple(data.images_path(str(out), shelf) for shelf in range(world))
    codec, checkpoint = out / "vae", out / "diffusion.pt"
    launch(data.Rendering(str(out), options.places // world), world)
    launch(autoencoder.Training(images, str(codec), 60 * options.autoencoder_minutes), world)
    launch(data.Encoding(str(out), str(codec)), world)
    torch.manual_seed(0)
    words = text.tokenizer()
    encoder = text.encoder(words)
    told = text.teach(encoder, words, steps=options.text_steps)
    print(
        f"text encoder: hour {told[0]:.0%}, season {told[1]:.0%}, captions that leave them out"
        " included"
    )
    torch.save(encoder.state_dict(), out / "encoder.pt")
    scale = data.scale(str(out))
    task = diffusion.Training(
        *_stores(out, world),
        scale,
        str(checkpoint),
        60 * options.diffusion_minutes,
        encoder=str(out / "encoder.pt"),
        warm=options.warm,
        compiled=options.compile,
    )
    launch(task, world)
    _ship(out, options.weights)


def _refine(options: argparse.Namespace) -> None:
    """
    Train the weights that ship a little further, with some seasons drawn more often.

    The renders are new, the autoencoder and the scale of its latents stay.
    """
    out, world = Path(options.out), int(options.processes)
    out.mkdir(parents=True, exist_ok=True)
    codec, start = out / "vae", out / "start.pt"
    scale = unpack(Path(options.weights), start, codec)
    launch(data.Rendering(str(out), options.places // world), world)
    launch(data.Encoding(str(out), str(codec)), world)
    task = diffusion.Training(
        *_stores(out, world),
        scale,
        str(out / "diffusion.pt"),
        60 * options.minutes,
        warm=str(start),
        seasons=tuple(options.season),
        share=options.share,
        rate=options.rate,
        compiled=options.compile,
    )
    launch(task, world)
    diffusion.blend(start, out / "diffusion.pt", options.keep)
    _ship(out, options.weights)


def _stores(out: Path, world: int) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
    """Return where the latents lie, those without colour, and the first seed of each shelf."""
    shelves = range(world)
    return (
        tuple(data.latents_path(str(out), shelf) for shelf in shelves),
        tuple(data.grey_path(str(out), shelf) for shelf in shelves),
        tuple(data.first_seed(shelf) for shelf in shelves),
    )


def _ship(out: Path, weights: str) -> None:
    size = export(out / "diffusion.pt", out / "vae", Path(weights))
    print(f"{weights}: {size / 1e6:.1f} MB")


def _export(options: argparse.Namespace) -> None:
    """Write the weights of a checkpoint, also of one that is still in training."""
    _ship(Path(options.out), options.weights)


def _render(options: argparse.Namespace) -> None:
    """One scene as an image, or, with ``--sheet``, a place at every hour and in every season."""
    scene = scenes.sample(options.seed)
    if options.sheet:
        place = geometry.build(scene.seed)
        rows = [
            np.concatenate(
                [
                    render.image(scenes.relit(scene, time, season), place)
                    for season in scenes.SEASONS
                ],
                axis=1,
            )
            for time in scenes.TIMES
        ]
        image = np.concatenate(rows)
    else:
        scene = scenes.relit(scene, options.time or scene.time, options.season or scene.season)
        image = render.image(scene)
    Image.fromarray(image).save(options.file)
    print(f"{options.file}: {scene}")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m training.tiny_landscapes", description=__doc__)
    commands = parser.add_subparsers(required=True)

    train = commands.add_parser("train", help=_train.__doc__)
    train.add_argument("--places", type=int, default=14_000)
    train.add_argument("--autoencoder-minutes", type=float, default=16)
    train.add_argument("--diffusion-minutes", type=float, default=84)
    train.add_argument("--text-steps", type=int, default=250)
    train.add_argument("--warm", default="", help="a checkpoint whose weights to start from")
    train.set_defaults(run=_train)

    refine = commands.add_parser("refine", help=_refine.__doc__)
    refine.add_argument(
        "--season",
        choices=scenes.SEASONS,
        action="append",
        required=True,
        help="repeat it for several",
    )
    refine.add_argument("--share", type=float, default=0.6, help="of the pairs that show it")
    refine.add_argument("--places", type=int, default=4_000)
    refine.add_argument("--minutes", type=float, default=45)
    refine.add_argument("--rate", type=float, default=2e-4)
    refine.add_argument(
        "--keep", type=float, default=0.35, help="part of the weights before in those that ship"
    )
    refine.set_defaults(run=_refine)
    for command in (train, refine):
        command.add_argument("--processes", type=int, default=2)
        command.add_argument(
            "--compile",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="needs a C++ compiler",
        )

    ship = commands.add_parser("export", help=_export.__doc__)
    ship.set_defaults(run=_export)
    for command in (train, refine, ship):
        command.add_argument(
            "--out", required=True, help="where images, latents and checkpoints go"
        )
        command.add_argument("--weights", default="nodes/huggingface/weights/tiny-landscapes")

    draw = commands.add_parser("render", help=_render.__doc__)
    draw.add_argument("file")
    draw.add_argument("--seed", type=int, default=data.HELD_OUT)
    draw.add_argument("--time", choices=scenes.TIMES)
    draw.add_argument("--season", choices=scenes.SEASONS)
    draw.add_argument("--sheet", action="store_true")
    draw.set_defaults(run=_render)

    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
