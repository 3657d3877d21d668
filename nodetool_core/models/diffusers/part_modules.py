"""
One component from one file, over the configuration of a base.

`from_pretrained` of the libraries reads folders in their own layout. What people have are files in
the layout of the authors, alone or inside of a checkpoint. Their tensors are renamed by the tables
of diffusers, and what the module then lacks is refused as for any other
(`components/integrity.py`).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypedDict, cast

from nodetool_core.models.components.integrity import check_whole, gaps_of
from nodetool_core.models.components.tensor_files import read_tensors
from nodetool_core.models.diffusers.deserialize import (
    ONE_AT_A_TIME,
    discreet,
    discreet_transformers,
)
from nodetool_core.models.sources.headers import StoredTensor

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from diffusers import ModelMixin
    from transformers import PretrainedConfig, PreTrainedModel

    from nodetool_core.models.components.tensor_files import Tensors

Settings = dict[str, object]
"""What a `config.json` says."""


class _Report(TypedDict):
    """What transformers says of tensors and the module that it put them in."""

    missing_keys: list[str]
    mismatched_keys: list[tuple[str, Iterable[int], Iterable[int]]]
    unexpected_keys: list[str]


_Entry = Mapping[str, Callable[..., "Tensors"]]
"""What diffusers knows of a class that single files hold."""

_LIKE_WAN: Final = ("AutoencoderKLQwenImage",)
"""Classes that have the layers of Wan's autoencoder, which diffusers has the table of names for."""


def read_part(
    cls: type,
    config: Path,
    file: Path,
    name: str,
    prefix: str,
    dtype: torch.dtype,
    *,
    may_map: bool,
) -> torch.nn.Module:
    """
    Return a module with the weights of one component of a file.

    It is in evaluation mode and without gradients.

    Args:
        cls: A model class of diffusers or transformers.
        config: The folder whose `config.json` says how large it is.
        file: A safetensors or GGUF file.
        name: What the user called the file; goes into messages.
        prefix: What the names of the component's tensors begin with.
        may_map: Whether the file may be mapped into memory instead of being read.

    Raises ModelError, NotWhole, and what the libraries raise.
    """
    from diffusers import ModelMixin

    tensors = read_tensors(file, name, prefix, dtype, may_map=may_map)
    read = _of_diffusers if issubclass(cls, ModelMixin) else _of_transformers
    made: torch.nn.Module = read(cls, config, tensors, dtype)
    return made.eval().requires_grad_(False)


def _of_diffusers(
    cls: type[ModelMixin], config: Path, tensors: Tensors, dtype: torch.dtype
) -> torch.nn.Module:
    import torch
    from accelerate import init_empty_weights  # type: ignore[import-untyped]
    from diffusers.models import model_loading_utils

    settings: Settings = cls.load_config(str(config))
    with ONE_AT_A_TIME, init_empty_weights():
        made: torch.nn.Module = discreet(cls, dtype).from_config(settings)
    made.__class__ = cast("type[torch.nn.Module]", cls)
    state = made.state_dict()
    named = _renamed(cls, settings, tensors, state)
    misshapen = [
        (key, one.shape, state[key].shape)
        for key, one in named.items()
        if key in state and one.shape != state[key].shape
    ]
    if not misshapen:
        kept = cls._keep_in_fp32_modules if dtype == torch.float16 else None
        with ONE_AT_A_TIME:
            model_loading_utils.load_model_dict_into_meta(
                made,
                OrderedDict(named),
                dtype=dtype,
                device_map={"": torch.device("cpu")},
                keep_in_fp32_modules=[kept] if isinstance(kept, str) else kept,
            )
    _check(made, state, named, misshapen)
    return made


def _renamed(cls: type, settings: Settings, tensors: Tensors, state: Tensors) -> Tensors:
    """Return tensors under the names of a class, by the table that diffusers has for it."""
    strange = tensors.keys() - state.keys()
    if state.keys() <= tensors.keys() or len(strange) <= _STRANGE * len(tensors):
        return tensors
    rename = _table(cls)
    return tensors if rename is None else rename(tensors, settings)


def reads_original_layout(cls: type) -> bool:
    """Return whether files of a class of diffusers are read in the layout of their authors."""
    return _table(cls) is not None


def _table(cls: type) -> Callable[[Tensors, Settings], Tensors] | None:
    """Return what renames the tensors of a class from the layout of its authors; None for none."""
    from diffusers.loaders import single_file_model

    known = cast("Mapping[str, _Entry]", single_file_model.SINGLE_FILE_LOADABLE_CLASSES)
    name: str | None = single_file_model._get_single_file_loadable_mapping_class(cls)  # type: ignore[no-untyped-call]
    name = "AutoencoderKLWan" if name is None and cls.__name__ in _LIKE_WAN else name
    if name is None:
        return None
    convert = known[name]["checkpoint_mapping_fn"]
    prefix = "model.diffusion_model." if name == "UNet2DConditionModel" else ""

    def rename(tensors: Tensors, settings: Settings) -> Tensors:
        # diffusers takes what it renames out of the mapping.
        given = {f"{prefix}{key}": tensor for key, tensor in tensors.items()}
        return convert(checkpoint=given, config=settings)

    return rename


def _of_transformers(
    cls: type[PreTrainedModel], config: Path, tensors: Tensors, dtype: torch.dtype
) -> torch.nn.Module:
    import torch

    assert cls.config_class is not None
    settings: PretrainedConfig = cls.config_class.from_pretrained(str(config))
    named = _text_encoder_names(settings, tensors)
    if _wants_projection(cls) and "text_projection.weight" not in named:
        # As the authors of Stable Diffusion 3 left it out of CLIP-L: it changes nothing.
        named["text_projection.weight"] = torch.eye(settings.projection_dim, settings.hidden_size)
    with ONE_AT_A_TIME, discreet_transformers():
        found = cls.from_pretrained(
            None,
            config=settings,
            state_dict=dict(named),
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    made, report = cast("tuple[torch.nn.Module, _Report]", found)
    gaps = gaps_of(
        made,
        missing=report["missing_keys"],
        misshapen=report["mismatched_keys"],
        unexpected=report["unexpected_keys"],
        stored=_stored(named),
    )
    check_whole(made, gaps)
    return made


def _wants_projection(cls: type) -> bool:
    return cls.__name__ == "CLIPTextModelWithProjection"


_STRANGE: Final = 0.05
"""Share of names that a module lacks up to which a file is damaged, not in another layout."""

_OPEN_CLIP, _SD2_DEPTH = "cond_stage_model.model.", 23
"""By this prefix diffusers leaves out the last layer, which Stable Diffusion 2 does not use."""

_BESIDE: Final = re.compile(r"(logit_scale|.*position_ids|attn_mask|spiece_model|tekken_model)$")
"""Names of what files of text encoders have besides weights."""


def _text_encoder_names(settings: PretrainedConfig, tensors: Tensors) -> Tensors:
    """Return the tensors of a text encoder under the names of transformers."""
    found = {key: tensor for key, tensor in tensors.items() if not _BESIDE.match(key)}
    if not any("resblocks." in key for key in found):
        return found
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    class Sized:
        """What diffusers asks of the module whose tensors it renames."""

        config = settings

    prefix = _OPEN_CLIP if settings.num_hidden_layers == _SD2_DEPTH else "open_clip."
    given = {f"{prefix}{key}": tensor for key, tensor in found.items()}
    renamed: Tensors = convert_open_clip_checkpoint(Sized(), given, prefix)  # type: ignore[no-untyped-call]
    return renamed


def _check(
    made: torch.nn.Module,
    state: Tensors,
    named: Tensors,
    misshapen: Iterable[tuple[str, Iterable[int], Iterable[int]]],
) -> None:
    gaps = gaps_of(
        made,
        missing=state.keys() - named.keys(),
        misshapen=misshapen,
        unexpected=named.keys() - state.keys(),
        stored=_stored(named),
    )
    check_whole(made, gaps)


def _stored(tensors: Tensors) -> dict[str, StoredTensor]:
    return {
        key: StoredTensor(
            "F" if one.is_floating_point() else str(one.dtype).removeprefix("torch."),
            tuple(one.shape),
            one.nbytes,
        )
        for key, one in tensors.items()
    }
