"""
What becomes of each field: honoured, ignored with a note, or refused.

The table in docs/guides/clients.md is made here, of what the server does.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nodetool_core.server.a1111.body import EditBody, TextBody
from tests.server.a1111.conftest import PHOTO, Ask
from tests.server.a1111.test_generation import encoded, half
from tests.server.live import opened
from tests.server.openai.conftest import TINY

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "clients.md"
MARKS = "<!-- a1111 fields -->\n", "<!-- /a1111 fields -->"

Sample = tuple[Any, Any]
"""A value, for both uses or by use, and one that can't be meant (None: there is none)."""

_WIDE = encoded(Image.linear_gradient("L").rotate(90).resize((64, 24)))
FIELDS: Mapping[str, Sample] = {
    "prompt": ("a longer prompt", 5),
    "negative_prompt": ("rain", 5),
    "seed": (8, "many"),
    "sampler_name": ("Euler a", "magic"),
    "sampler_index": ("Euler a", "magic"),
    "scheduler": ("karras", 5),
    "steps": (6, 0),
    "cfg_scale": (3.5, -1),
    "width": (24, 0),
    "height": (20, 10_000),
    "batch_size": (2, 33),
    "n_iter": (2, 0),
    "denoising_strength": (0.25, 7.0),
    "override_settings": ({"samples_format": "jpg"}, {"samples_format": "tga"}),
    "send_images": (False, "maybe"),
    "infotext": ("longer\nSteps: 7, CFG scale: 4, Sampler: Heun", 5),
    "script_name": ("None", "X/Y/Z plot"),
    "alwayson_scripts": ({"ADetailer": {"args": [False]}}, {"ControlNet": {"args": [True]}}),
    "init_images": ([_WIDE], "x"),
    "mask": (encoded(half()), "no image"),
    "mask_blur": (0, -1),
    "inpainting_mask_invert": (1, 5),
    "inpainting_fill": (1, 9),
    "inpaint_full_res": (False, "maybe"),
    "inpaint_full_res_padding": (8, -1),
    "resize_mode": (1, 9),
    "include_init_images": (True, "maybe"),
    "tiling": (True, None),
    "restore_faces": (True, None),
    "styles": (["a style"], None),
    "enable_hr": (True, "maybe"),
    "hr_scale": (3, 0),
    "hr_resize_x": (192, -1),
    "hr_resize_y": (192, 10_000),
    "hr_upscaler": ("Nearest", "magic"),
    "hr_second_pass_steps": (3, -1),
    "hr_prompt": ("a hill", 5),
    "hr_sampler_name": ("Euler a", "magic"),
    "hr_scheduler": ("karras", 5),
    "hr_cfg": (9, -1),
    "hr_checkpoint_name": ("another", None),
    "subseed": (5, "many"),
    "subseed_strength": (0.5, 7.0),
    "seed_resize_from_w": (64, 10_000),
    "seed_resize_from_h": (64, -2),
    "clip_skip": (2, 50),
    "eta": (0.5, None),
    "refiner_checkpoint": ("a refiner", None),
    "save_images": (True, None),
    "strength": (0.25, 7.0),
    "of_nobody": (1, None),
}
_MASK = {"mask": encoded(half()), "width": 32, "height": 32}
BESIDE: Mapping[str, dict[str, Any]] = {
    "scheduler": {"sampler_name": "Euler"},
    "resize_mode": {"width": 24, "height": 24, "init_images": [_WIDE]},
    "height": {"width": 24},
    "hr_scheduler": {"hr_sampler_name": "Euler"},
    "subseed": {"subseed_strength": 0.5},
    "subseed_strength": {"subseed": 5},
    "seed_resize_from_w": {"seed_resize_from_h": 64},
    "seed_resize_from_h": {"seed_resize_from_w": 64},
    **dict.fromkeys(
        (
            "mask_blur",
            "inpainting_mask_invert",
            "inpainting_fill",
            "inpaint_full_res",
            "inpaint_full_res_padding",
        ),
        _MASK,
    ),
}
"""What a field only counts with."""

BODIES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "txt2img": ("drawn", {"prompt": "x", "seed": 7}),
    "img2img": ("edited", {"prompt": "x", "seed": 7, "init_images": [PHOTO]}),
}


MODEL: Mapping[str, Any] = {"steps": 2, "width": 128, "height": 128}
"""What a model is asked for, where a field is not one of workflows."""


def verdict(ask: Ask, use: str, field: str, value: Any) -> str:
    checkpoint, body = BODIES[use]
    of_second_pass = field.startswith("hr_") or (use, field) == ("txt2img", "denoising_strength")
    if of_second_pass or field.startswith(("enable_hr", "clip_skip", "subseed", "seed_resize")):
        second = {"enable_hr": True, "hr_scale": 2} if of_second_pass else {}
        checkpoint, body = TINY, body | MODEL | {"denoising_strength": 0.5} | second
    body = body | BESIDE.get(field, {})
    before, after = ask(checkpoint, use, **body), ask(checkpoint, use, **body | {field: value})
    assert before.status_code == 200, before.text
    if after.status_code in (400, 404, 422):
        return "refused"
    assert after.status_code == 200, after.text
    notes, known = (set(one.json().get("warnings", ())) for one in (after, before))
    if any(field in note for note in notes - known):
        return "noted"
    seen = [one.json() for one in (before, after)]
    if field == "include_init_images" and seen[0]["parameters"] != seen[1]["parameters"]:
        return "honoured"
    return "honoured" if images(seen[0]) != images(seen[1]) else "ignored"


def images(answer: dict[str, Any]) -> list[tuple[str | None, bytes]]:
    """Return the pixels of an answer's images, without the texts in the files."""
    found = [opened(base64.b64decode(text)) for text in answer["images"]]
    return [(image.format, image.tobytes()) for image in found]


def rows(ask: Ask) -> Iterator[str]:
    yield "| field | txt2img | img2img | a value that can't be meant |"
    yield "|---|---|---|---|"
    for field, (value, wrong) in FIELDS.items():
        found = [verdict(ask, use, field, value) for use in BODIES]
        refused = {verdict(ask, use, field, wrong) for use in BODIES} if wrong is not None else "-"
        last = "refused" if "refused" in refused else "-"
        yield f"| `{field}` | {found[0]} | {found[1]} | {last} |"


@pytest.mark.slow
def test_the_table_says_what_the_server_does(ask: Ask) -> None:
    table = "\n".join(rows(ask)) + "\n"
    text = PAGE.read_text("utf-8")
    assert text.partition(MARKS[0])[2].partition(MARKS[1])[0] == table, table
    # The small model reads no negative prompt; test_prompts.py has a second pass with one.
    known = {*FIELDS, "hr_negative_prompt"}
    assert {*EditBody.model_fields, *TextBody.model_fields} <= known
