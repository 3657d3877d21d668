"""The networks that lead a model by images, as properties of the node that runs it."""

from __future__ import annotations

from typing import Final

from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import Adapter, Control, Prompt, Weights
from nodetool_core.importing.draft import Handle

CONTROLNET: Final = "huggingface.loaders.ApplyControlNet"
IP_ADAPTER: Final = "huggingface.loaders.ApplyIPAdapter"


def leading_properties(reading: Reading, weights: Weights, prompt: Prompt) -> dict[str, object]:
    """Return the properties for all networks that lead a model, by itself or by a prompt."""
    controls = (*weights.controls, *prompt.controls)
    return {**_controlled(reading, controls), **_adapted(reading, weights.adapters)}


def _controlled(reading: Reading, controls: tuple[Control, ...]) -> dict[str, object]:
    """Return one ControlNet for all steps as it is, and others as a list that nodes make."""
    made: Handle | None = None
    for number, one in enumerate(controls, 1):
        mode = {} if one.network.mode is None else {"mode": one.network.mode}
        if len(controls) == 1 and (known(one.start), known(one.end)) == (0, 1):
            return {
                "controlnet": one.network.ref,
                "control_image": one.image,
                "controlnet_conditioning_scale": one.scale,
                **{f"control_{name}": value for name, value in mode.items()},
            }
        properties: dict[str, object] = {
            **{"controlnet": one.network.ref, "image": one.image, "scale": one.scale},
            **{"start": one.start, "end": one.end, **mode},
            **({} if made is None else {"controlnets": made}),
        }
        made = Handle(reading.add(CONTROLNET, properties, f"controlnet_{number}", optional=True))
    return {} if made is None else {"controlnets": made}


def _adapted(reading: Reading, adapters: tuple[Adapter, ...]) -> dict[str, object]:
    """Return one IP adapter for the whole image as it is, and others as a list."""
    made: Handle | None = None
    for number, one in enumerate(adapters, 1):
        if len(adapters) == 1 and one.mask is None:
            return {
                "ip_adapter_model": one.ref,
                "ip_adapter_image": one.image,
                "ip_adapter_scale": one.scale,
            }
        properties: dict[str, object] = {
            **{"ip_adapter": one.ref, "image": one.image, "scale": one.scale},
            **({} if one.mask is None else {"mask": one.mask}),
            **({} if made is None else {"ip_adapters": made}),
        }
        made = Handle(reading.add(IP_ADAPTER, properties, f"ip_adapter_{number}", optional=True))
    return {} if made is None else {"ip_adapters": made}
