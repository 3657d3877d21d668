"""
Write `nodes/importers/known_files.json`: names of files, and where the Hub has them.

    python bench/known_files.py

The names and addresses are the `models` entries of ComfyUI's templates, from the package
`comfyui-workflow-templates-json` (extra `bench`), and of `OWN`. A name that templates give several
addresses has the one that most of them give.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = "comfyui_workflow_templates_json"
TABLE: Final = Path(__file__).parents[1] / "nodes" / "importers" / "known_files.json"
FOLDERS: Final = frozenset(
    {
        *("checkpoints", "clip_vision", "controlnet", "diffusion_models", "loras", "model_patches"),
        *("style_models", "text_encoders", "upscale_models", "vae"),
    }
)
"""Where files about images lie."""
GENERIC: Final = re.compile(r"(?:model|vae|diffusion_pytorch_model|pytorch_lora_weights)\.\w+")
"""Names that mean another file in each repository."""
ADDRESS: Final = re.compile(r"https://huggingface\.co/([^/]+/[^/]+)/(?:resolve|blob)/[^/]+/([^?]+)")

SDXL: Final = "stabilityai/stable-diffusion-xl-base-1.0"
OWN: Final = {
    "flux1-dev.safetensors": "black-forest-labs/FLUX.1-dev",
    "flux1-schnell.safetensors": "black-forest-labs/FLUX.1-schnell",
    "sd3.5_large.safetensors": "stabilityai/stable-diffusion-3.5-large",
    "sd3.5_medium.safetensors": "stabilityai/stable-diffusion-3.5-medium",
    "sd3_medium.safetensors": "stabilityai/stable-diffusion-3-medium",
    "sd_xl_base_1.0.safetensors": SDXL,
    "sd_xl_base_1.0_0.9vae.safetensors": SDXL,
    "sd_xl_offset_example-lora_1.0.safetensors": SDXL,
    "sd_xl_refiner_1.0.safetensors": "stabilityai/stable-diffusion-xl-refiner-1.0",
    "sd_xl_turbo_1.0_fp16.safetensors": "stabilityai/sdxl-turbo",
    "sdxl_vae.safetensors": "stabilityai/sdxl-vae",
    "v1-5-pruned-emaonly.safetensors": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "v1-5-pruned.safetensors": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "vae-ft-mse-840000-ema-pruned.safetensors": "stabilityai/sd-vae-ft-mse-original",
}
"""Files at the top of the repositories that their makers published them in."""


def entries(folder: Path) -> dict[str, Counter[tuple[str, str]]]:
    found: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for path in sorted(folder.glob("*.json")):
        content: Any = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict) or "nodes" not in content:
            continue
        graphs = [content, *(content.get("definitions") or {}).get("subgraphs", [])]
        for node in (node for graph in graphs for node in graph["nodes"]):
            for model in (node.get("properties") or {}).get("models") or []:
                address = ADDRESS.match(str(model.get("url")))
                name = str(model.get("name"))
                if address and model.get("directory") in FOLDERS and not GENERIC.fullmatch(name):
                    found[name][(address[1], address[2])] += 1
    return found


def main() -> None:
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        sys.exit("The templates are not installed: pip install -e .[bench]")
    folder = Path(next(iter(package.submodule_search_locations))) / "templates"
    table = {name: [repository, name] for name, repository in OWN.items()}
    for name, places in entries(folder).items():
        most = max(sorted(places), key=lambda place: places[place])
        table.setdefault(name, list(most))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table))
    TABLE.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    print(f"{len(table)} files")


if __name__ == "__main__":
    main()
