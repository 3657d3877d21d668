"""Single files of Stable Diffusion without any repository: numbers known here, and a vocabulary."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from nodetool_core import ModelRef
from nodetool_core.errors import ModelError
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources import own_configuration as own
from nodetool_core.models.sources.clip_vocabulary import tokenizer_files, vocabulary_file
from nodetool_core.models.sources.file_families import FAMILIES
from nodetool_core.models.sources.hub import Hub
from nodetool_core.models.sources.known_configurations import CONFIGURATIONS
from tests.models.hub_server import HubServer
from tests.models.original_layout import write_single_file
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import run
from tests.nodes.huggingface.tiny_parts import clip_config
from tests.nodes.huggingface.tiny_pipelines import stable_diffusion

if TYPE_CHECKING:
    from collections.abc import Iterator

SD1 = FAMILIES["sd1"].base
NOWHERE = "http://127.0.0.1:9"
MERGES = ("l a", "k e</w>", "la ke</w>")
_BYTES = 2 * 256


@pytest.fixture
def vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the vocabulary of an installed package, which is as short as can be."""
    file = tmp_path / "packages" / "open_clip" / "bpe_simple_vocab_16e6.txt.gz"
    file.parent.mkdir(parents=True)
    (file.parent / "__init__.py").touch()
    file.write_bytes(gzip.compress("\n".join(['"a heading"', *MERGES, ""]).encode()))
    monkeypatch.syspath_prepend(tmp_path / "packages")
    yield file


def test_tokens_are_bytes_then_merges_then_marks(vocabulary: Path, tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    assert vocabulary_file() == vocabulary
    for name, text in tokenizer_files(vocabulary).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    tokenizer = CLIPTokenizer.from_pretrained(str(tmp_path))
    count = _BYTES + len(MERGES) + 2
    assert len(tokenizer) == count
    start, end, lake = count - 2, count - 1, _BYTES + 2
    assert tokenizer("Lake").input_ids == [start, lake, end]
    # A byte that prints is its place among those, and 256 more where it ends a word; é is two.
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    spelled = [printing.index(byte) for byte in "cé".encode()]
    spelled[-1] += 256
    assert tokenizer("cé").input_ids == [start, *spelled, end]


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("sd1", {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}),
        ("sd2", {"unet": 865_910_724, "text_encoder": 340_387_840}),
        ("sdxl", {"unet": 2_567_463_684, "text_encoder_2": 694_659_840}),
        ("sdxl-refiner", {"unet": 2_259_526_660}),
    ],
)
def test_the_numbers_make_modules_of_the_published_sizes(
    family: str, parameters: dict[str, int], vocabulary: Path, tmp_path: Path
) -> None:
    import diffusers
    import transformers

    found = own.own_configuration(FAMILIES[family].base, tmp_path)
    assert found is not None
    for part, count in parameters.items():
        library, name = json.loads((found[0] / "model_index.json").read_text())[part]
        cls: Any = getattr(diffusers if library == "diffusers" else transformers, name)
        with torch.device("meta"):
            if library == "diffusers":
                module = cls.from_config(cls.load_config(str(found[0] / part)))
            else:
                module = cls(cls.config_class.from_pretrained(str(found[0] / part)))
        assert sum(one.numel() for one in module.parameters()) == count, part


@pytest.fixture
def tiny(vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return a tiny Stable Diffusion 1 as a folder and as a file, whose numbers are the known."""
    from transformers import CLIPTextModel, CLIPTokenizer

    words = tmp_path / "words"
    words.mkdir()
    for name, text in tokenizer_files(vocabulary).items():
        (words / name).write_text(text, encoding="utf-8")
    torch.manual_seed(0)
    pipeline: Any = stable_diffusion()
    tokenizer = CLIPTokenizer.from_pretrained(str(words), model_max_length=77)
    config = clip_config()
    config.vocab_size = len(tokenizer)
    pipeline.register_modules(tokenizer=tokenizer, text_encoder=CLIPTextModel(config))
    folder = tmp_path / "folder"
    pipeline.save_pretrained(folder)
    known: dict[str, Any] = {"": CONFIGURATIONS["sd1"][""] | {"scheduler": _scheduler(folder)}}
    for part in CONFIGURATIONS["sd1"]:
        if part and part != "tokenizer":
            name = "scheduler_config.json" if part == "scheduler" else "config.json"
            known[part] = json.loads((folder / part / name).read_text())
    known["tokenizer"] = CONFIGURATIONS["sd1"]["tokenizer"]
    monkeypatch.setattr(own, "CONFIGURATIONS", {"sd1": known})
    return folder, write_single_file(folder, tmp_path / "sd.safetensors")


def _scheduler(folder: Path) -> list[str]:
    return list(json.loads((folder / "model_index.json").read_text())["scheduler"])


def test_a_single_file_paints_what_its_folder_paints_without_any_network(
    tiny: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, file = tiny
    recorder = Recorder(ModelManager(device="cpu", hub=Hub(tmp_path / "cache", NOWHERE)))
    values: dict[str, Any] = {"prompt": "a lake", "negative_prompt": "trees"}
    whole, single = (run(recorder, str(one), **values) for one in (folder, file))
    assert single.tobytes() == whole.tobytes()
    assert recorder.warnings == []
    # In parts, over the name of the family.
    models = recorder.context.models
    ref = ModelRef(
        repo_id="sd1",
        denoiser=ModelRef(repo_id=str(file)),
        vae=ModelRef(repo_id=str(file)),
        text_encoders=[ModelRef(repo_id=str(file))],
    )
    with models.use(ref, "text-to-image", context=recorder.context) as lease:
        assert type(lease.pipeline).__name__ == "StableDiffusionPipeline"


def test_without_a_vocabulary_the_hub_is_asked_and_what_it_has_comes_first(
    tiny: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tiny
    recorder = Recorder(ModelManager(device="cpu"))
    with HubServer() as server:
        hub = Hub(tmp_path / "cache", server.endpoint)
        here, digest = hub.texts(SD1, recorder.context)
        assert hub.texts(SD1, recorder.context) == (here, digest) == hub.cached_texts(SD1)
        assert server.fetched == []
        with pytest.raises(ModelError):
            hub.texts(SD1, recorder.context, "v1")
        monkeypatch.setattr(own, "vocabulary_file", lambda: None)
        assert hub.cached_texts(SD1) is None
        with pytest.raises(ModelError, match=r"are needed.*") as caught:
            run(Recorder(ModelManager(device="cpu", hub=hub)), str(file))
        assert "pip install --no-deps open_clip_torch" in caught.value.problem.hint
        server.repositories[SD1] = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        fetched = hub.texts(SD1, recorder.context)
        assert fetched[0] != here
        monkeypatch.undo()
        assert hub.cached_texts(SD1) == fetched
