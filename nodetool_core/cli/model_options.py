"""Options that several commands have: which models there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelsDir = Annotated[
    list[Path] | None,
    typer.Option(
        "--models-dir",
        metavar="DIR",
        envvar="NODETOOL_MODELS_DIR",
        show_envvar=False,
        help="Folder of models of ComfyUI or A1111, or extra_model_paths.yaml. Repeatable.",
    ),
]
