"""
Processors that turn texts and images into the input of a language model that sees.

Those of transformers for Qwen-VL and its like read videos as well, and can't even be made without
torchvision, which only the part for videos needs. Pipelines of images never show them a video. So
where a processor wants one, a class is made that is the same without it: same name, so that
diffusers finds what `model_index.json` names, and every method but those for videos.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_processors(
    directory: Path, components: Mapping[str, tuple[str, str]]
) -> dict[str, object]:
    """Return the processors to be read without their part for videos, by component."""
    import transformers

    found = {}
    for part, (library, name) in components.items():
        cls = (
            getattr(transformers, name, None)
            if library == "transformers" and name.endswith("Processor")
            else None
        )
        if isinstance(cls, type) and _reads_videos(cls):
            found[part] = without_videos(cls).from_pretrained(str(directory / part))
    return found


def stand_ins(
    directory: Path, components: Mapping[str, tuple[str, str]], read: Mapping[str, object]
) -> dict[str, object]:
    """
    Return a tokenizer for each processor that needs torchvision, by component.

    Pipelines that have one, such as that of FLUX.2 with its PixtralProcessor, show it texts alone,
    and for a text it does what its tokenizer does. `read` has those that were read before.
    """
    import transformers

    found = {}
    for part, (library, name) in components.items():
        cls = (
            getattr(transformers, name, None)
            if library == "transformers" and name.endswith("Processor")
            else None
        )
        if (
            getattr(cls, "is_dummy", False)
            and (directory / part / "tokenizer_config.json").is_file()
        ):
            found[part] = read.get(part) or transformers.AutoTokenizer.from_pretrained(
                str(directory / part)
            )
    return found


def without_videos(cls: Any) -> Any:
    """
    Return a processor class like this one that has no part for videos, and so needs no torchvision.
    """

    def initialize(
        self: object,
        image_processor: object = None,
        tokenizer: object = None,
        chat_template: object = None,
        **options: object,
    ) -> None:
        cls.__init__(self, image_processor, tokenizer, chat_template=chat_template, **options)

    return type(cls.__name__, (cls,), {"__init__": initialize, "__module__": cls.__module__})


def _reads_videos(cls: type) -> bool:
    from transformers import ProcessorMixin

    return (
        issubclass(cls, ProcessorMixin)
        and "video_processor" in inspect.signature(cls.__init__).parameters
    )
