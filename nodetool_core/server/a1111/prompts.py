"""
How a prompt is read: the networks that it names, weights, embeddings, layers that are left out.

They are properties of the workflow's one node that generates images, where it has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ModelError
from nodetool_core.importing.prompt_networks import Network, networks_of, with_embeddings
from nodetool_core.json_types import JsonObject
from nodetool_core.models.diffusers.prompt_syntax import Fragment, PromptError, parse
from nodetool_core.models.sources.adapter_fit import family_of_model
from nodetool_core.references import ModelRef
from nodetool_core.server.parameters import generating_node, open_properties
from nodetool_core.server.runtime.networks import Networks, networks_in

if TYPE_CHECKING:
    from nodetool_core.models.manager import ModelManager
    from nodetool_core.server.served_workflow import ServedWorkflow

_LORAS, _SYNTAX, _EMBEDDINGS, _SKIP = "loras", "prompt_syntax", "embeddings", "clip_skip"
_NEGATIVE: Final = "negative_prompt"
_EMBEDDING: Final = "embedding:"
_LONG: Final = 200
"""Characters of a text that an encoder may have to read in several parts."""


@dataclass(frozen=True)
class Reading:
    """Prompts as a workflow gets them."""

    texts: Mapping[str, str]
    """By the names of inputs."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What the generating node gets besides, by the names that `inputs.apply` takes."""
    syntax: Mapping[str, object] = field(default_factory=dict)
    """The same, for models whose encoders read weights; others read the texts as they stand."""
    notes: tuple[str, ...] = ()


class PromptReader:
    """Reads prompts for workflows. Its methods block: they look into folders of models."""

    def __init__(self, models: ModelManager) -> None:
        self._models = models

    def networks(self) -> Networks:
        """Return the LoRAs and embeddings that prompts may name."""
        return networks_in(self._models.resolver.folders)

    def read(self, served: ServedWorkflow, texts: Mapping[str, str], layer: int) -> Reading:
        """
        Return how prompts are read for a workflow.

        Args:
            texts: By the names of inputs.
            layer: Which layer of the text encoder counts, from the last one, which is 1.
        """
        named = {name: networks_of(text) for name, text in texts.items()}
        plain = {name: text for name, (text, _) in named.items()}
        node = generating_node(served.graph)
        places = open_properties(served.graph, (_LORAS, _SYNTAX, _EMBEDDINGS, _SKIP))
        known = self.networks() if any(texts.values()) else Networks({}, {})
        wanted = [one for _, networks in named.values() for one in networks]
        loras, notes = _loras(wanted, known, can=_LORAS in places)
        values: dict[str, object] = {}
        if loras and node is not None:
            values[places[_LORAS]] = [*node.values[_LORAS], *loras]
        if skipped := self._skipped(served, layer):
            if _SKIP in places:
                values[places[_SKIP]] = skipped
            else:
                notes.append(f"clip_skip is not used by {served.name}")
        syntax: dict[str, object] = {}
        if _SYNTAX in places:
            syntax, unread = _syntax(served, plain, places, known)
            notes += unread
        return Reading(plain, values, syntax, tuple(notes))

    def _skipped(self, served: ServedWorkflow, layer: int) -> int:
        """Return how many layers are left out besides those that the family leaves out anyway."""
        if layer <= 1:
            return 0
        return max(0, layer - (2 if self._is_xl(served) else 1))

    def _is_xl(self, served: ServedWorkflow) -> bool:
        """Return whether the files that are here show a model of the family of XL."""
        node = generating_node(served.graph)
        ref = None if node is None else node.values.get("model")
        try:
            model = self._models.resolver.here(ref) if isinstance(ref, ModelRef) else None
            return model is not None and family_of_model(model) == "sdxl"
        except ModelError:
            return False


def _loras(
    wanted: Iterable[Network], known: Networks, *, can: bool
) -> tuple[list[JsonObject], list[str]]:
    """Return references to the LoRAs that prompts name, and notes on those that are not used."""
    found: list[JsonObject] = []
    notes: list[str] = []
    for one in wanted:
        shown = f"{one.kind}:{one.name[:80]} in prompt"
        notes += [f"{part!r} of {shown} is not used here" for part in one.unread]
        file = known.loras.get(one.name) if can and one.kind != "hypernet" else None
        if file is None:
            notes.append(f"{shown} is not used here")
            continue
        ref: JsonObject = {"type": "hf.lora", "repo_id": file.name, "scale": one.scale}
        if one.text_encoder_scale != one.scale:
            ref["text_encoder_scale"] = one.text_encoder_scale
        found.append(ref)
    return found, notes


def _syntax(
    served: ServedWorkflow,
    plain: Mapping[str, str],
    places: Mapping[str, str],
    known: Networks,
) -> tuple[dict[str, object], list[str]]:
    """Return the values by which weights and embeddings are read; none where there are none."""
    texts = {name: with_embeddings(text, known.embeddings) for name, text in plain.items()}
    try:
        is_plain = all(_is_plain(text) for text in texts.values())
    except PromptError as error:
        return {}, [f"prompt {error}: it is read as it stands"]
    if is_plain:
        return {}, []
    named = [
        {"type": "hf.embedding", "repo_id": file.name}
        for name, file in known.embeddings.items()
        if any(f"{_EMBEDDING}{name}".lower() in text.lower() for text in texts.values())
    ]
    given: dict[str, object] = {
        served.inputs[name].given: text for name, text in texts.items() if name in served.inputs
    }
    given[places[_SYNTAX]] = "weighted"
    if named and _EMBEDDINGS in places:
        given[places[_EMBEDDINGS]] = named
    return given, []


def _is_plain(text: str) -> bool:
    """Return whether a text is read alike with weights and without. Raises PromptError."""
    is_short = len(text) <= _LONG and _EMBEDDING not in text
    return not text or (is_short and parse(text) == ((Fragment(text),),))
