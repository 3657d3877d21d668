"""Components in files: whose configuration they are read with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from safetensors.torch import load_file, save_file

from nodetool_core.models.sources.resolved import ResolvedModel
from nodetool_core.models.sources.single_components import configured

if TYPE_CHECKING:
    from collections.abc import Callable

SD1 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
XL = "stabilityai/stable-diffusion-xl-base-1.0"


@pytest.mark.parametrize(
    ("name", "base", "expected"),
    [
        ("vae-ft-mse-840000-ema-pruned.safetensors", "", SD1),
        ("sdxl_vae.safetensors", "", XL),
        ("SDXL-VAE-fp16-fix.safetensors", "", XL),
        ("sd_xl_vae.safetensors", "", XL),
        ("xlVAEC_f1.safetensors", "", SD1),
        ("vae_xl.safetensors", "", XL),
        ("pixlr.safetensors", "", SD1),
        ("sdxl_vae.safetensors", "sd1", SD1),
        ("some.safetensors", "sdxl", XL),
    ],
)
def test_the_name_of_a_vae_tells_xl_from_sd1(
    name: str, base: str, expected: str, model: Callable[[str], str], tmp_path: Path
) -> None:
    source = Path(model("stable_diffusion")) / "vae" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(source), tmp_path / name)
    asked: list[str] = []

    def configuration(repo_id: str) -> tuple[Path, str]:
        asked.append(repo_id)
        return tmp_path, "commit"

    file = ResolvedModel(name, tmp_path / name, "file", "blake3:0")
    found = configured(file, "network:vae", configuration, base)
    assert found is not None and asked == [expected]
