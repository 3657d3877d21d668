"""How ComfyUI's API is called, as texts to be pasted: a graph, by what every system has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nodetool_core.server.http.samples import Samples

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_BEGIN: Final = """\
curl -H 'Authorization: Bearer the token' {url}/prompt -d '{"prompt": {
  "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "{name}"}},
  "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a winter night"}},
  "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
"""

_END: Final = """\
    "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0], "seed": 1, "steps": 20,
    "cfg": 7, "sampler_name": "euler", "scheduler": "normal"}},
  "6": {"class_type": "VAEDecode", "inputs": {"vae": ["1", 2], "samples": ["5", 0]}},
  "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "night"}}}}'

# Once it has ended, {url}/history names its file, which {url}/view?filename=… returns.
"""

_OF_TEXT: Final = f"""\
{_BEGIN}  "4": {{"class_type": "EmptyLatentImage", "inputs":
    {{"width": 512, "height": 512, "batch_size": 1}}}},
  "5": {{"class_type": "KSampler", "inputs": {{"model": ["1", 0], "denoise": 1,
{_END}"""

_OF_IMAGE: Final = f"""\
curl -H 'Authorization: Bearer the token' {{url}}/upload/image -F image=@lake.png -F overwrite=1
{_BEGIN}  "8": {{"class_type": "LoadImage", "inputs": {{"image": "lake.png"}}}},
  "4": {{"class_type": "VAEEncode", "inputs": {{"vae": ["1", 2], "pixels": ["8", 0]}}}},
  "5": {{"class_type": "KSampler", "inputs": {{"model": ["1", 0], "denoise": 0.7,
{_END}"""

_FORBIDDEN: Final = "# Graphs are taken where the operator allows them: client_workflows = true\n\n"


def samples_of(state: AppState) -> Samples:
    """Return how the dialect of a server is called; graphs name models, and no workflows."""
    begin = "" if state.settings.client_workflows else _FORBIDDEN
    return Samples(
        begin + _OF_TEXT,
        begin + _OF_IMAGE,
        name_of=lambda name: name if name in state.catalog.models else None,
        any_name="MODEL",
    )
