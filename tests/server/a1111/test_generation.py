"""Images from texts and from images, as clients of the web UI ask for them."""

from __future__ import annotations

from io import BytesIO
from typing import Any, get_args

import pytest
from PIL import Image

from nodetool_core.importing.samplers import SAMPLERS, SCHEDULES
from nodetool_core.models.diffusers.scheduler_choice import SchedulerName
from nodetool_core.server.a1111.samplers import scheduler_of
from tests.server.a1111.conftest import PHOTO, Ask, images_of, info_of, text_of
from tests.server.live import LiveServer, png
from tests.server.openai.conftest import TINY


def encoded(image: Image.Image) -> str:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return text_of(buffer.getvalue())


def test_the_answer(ask: Ask) -> None:
    answer = ask("sketch", prompt="a lake", width=24, height=20, steps=5, seed=7)
    body, info = answer.json(), info_of(answer)
    assert body.keys() == {"images", "parameters", "info"}
    (image,) = images_of(answer)
    assert (image.format, image.size, image.getpixel((5, 5))) == ("PNG", (24, 20), (7, 5, 0))
    assert body["parameters"]["prompt"] == "a lake" and body["parameters"]["steps"] == 5
    assert info["all_prompts"] == [info["prompt"]] == ["a lake"]
    assert info["all_seeds"] == [info["seed"]] == [7]
    assert (info["width"], info["height"], info["steps"]) == (24, 20, 5)
    assert info["sd_model_name"] == "sketch" and isinstance(info["job_timestamp"], str)
    last = info["infotexts"][0].split("\n").pop()
    assert last.startswith("Steps: 5, Seed: 7, Size: 24x20, Model: sketch")


def test_images_of_a_request_differ_by_their_seeds(ask: Ask) -> None:
    answer = ask("sketch", prompt="x", seed=7, batch_size=2, n_iter=2)
    assert [image.getpixel((5, 5))[0] for image in images_of(answer)] == [7, 8, 9, 10]  # type: ignore[index]
    assert info_of(answer)["all_seeds"] == [7, 8, 9, 10]
    assert images_of(ask("sketch", prompt="x", send_images=False)) == []


def test_a_seed_that_was_drawn_makes_the_image_again(ask: Ask) -> None:
    drawn = [ask("sketch", prompt="x", seed=-1) for _ in range(4)]
    seeds = [info_of(one)["seed"] for one in drawn]
    assert len(set(seeds)) == 4 and all(0 <= seed < 2**32 for seed in seeds)
    again = ask("sketch", prompt="x", seed=seeds[0])
    assert again.json()["images"] == drawn[0].json()["images"]


def test_without_a_checkpoint_the_first_that_can_do_it(ask: Ask) -> None:
    answer = ask("", prompt="a lake", width=128, height=128, steps=1)
    assert info_of(answer)["sd_model_name"] == TINY
    given = {"init_images": [PHOTO], "denoising_strength": 1.0, "steps": 1}
    edited = ask("", "img2img", prompt="x", width=128, height=128, **given)
    assert info_of(edited)["sd_model_name"] == TINY


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_an_image_to_start_from(ask: Ask, prefix: str) -> None:
    given = {"prompt": "seven..", "init_images": [prefix + PHOTO], "steps": 6, "seed": 3}
    answer = ask("paint", "img2img", denoising_strength=0.25, **given)
    (image,) = images_of(answer)
    assert (image.size, image.getpixel((0, 0))) == ((32, 24), (7, 0, 6))
    assert image.getpixel((31, 23)) == (3, 0, 64)
    assert "init_images" not in answer.json()["parameters"]
    kept = ask("paint", "img2img", include_init_images=True, **given).json()["parameters"]
    assert kept["init_images"] == [prefix + PHOTO]


def test_no_image_to_start_from(ask: Ask) -> None:
    refused = ask("paint", "img2img", prompt="x")
    assert refused.status_code == 404 and "Init image not found" in refused.json()["detail"]


@pytest.mark.parametrize(("mode", "corner"), [(0, "red"), (1, "green"), (2, "red"), (3, "red")])
def test_the_image_is_brought_to_the_size(ask: Ask, mode: int, corner: str) -> None:
    """It is red at its left and right quarter, and green between them."""
    photo = Image.new("RGB", (64, 32), "green")
    for left in (0, 48):
        photo.paste("red", (left, 0, left + 16, 32))
    given = {"init_images": [encoded(photo)], "resize_mode": mode, "width": 64, "height": 64}
    (image,) = images_of(ask("twice", "img2img", **given))
    assert image.size == (128, 128)
    red, green, _ = image.getpixel((2, 64))  # type: ignore[misc]
    assert (red > green) == (corner == "red")
    if mode == 2:
        assert image.getpixel((2, 2)) != (0, 0, 0), "the edges are spread"


def near(one: Any, other: Any) -> bool:
    return all(abs(a - b) <= 2 for a, b in zip(one, other, strict=True))


def half(width: int = 32, height: int = 24) -> Image.Image:
    """Return a mask that is white in its left half."""
    mask = Image.new("L", (width, height), 0)
    mask.paste(255, (0, 0, width // 2, height))
    return mask


WHITE, OWN = (255, 255, 255), (96, 144, 192)


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("is_inverted", [0, 1])
def test_white_of_the_mask_is_made_anew(ask: Ask, is_full: bool, is_inverted: int) -> None:
    answer = ask(
        "white",
        "img2img",
        init_images=[PHOTO],
        mask=encoded(half()),
        mask_blur=0,
        inpaint_full_res=is_full,
        inpainting_mask_invert=is_inverted,
    )
    (image,) = images_of(answer)
    sides = [image.getpixel((x, 12)) for x in (2, 15, 16, 30)]
    assert sides == ([OWN, OWN, WHITE, WHITE] if is_inverted else [WHITE, WHITE, OWN, OWN])


def test_a_mask_that_is_transparent_and_one_of_another_size(ask: Ask) -> None:
    mask = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    mask.paste((0, 0, 0, 255), (0, 0, 32, 48))
    given = {"init_images": [PHOTO], "mask": encoded(mask), "mask_blur": 0}
    (image,) = images_of(ask("white", "img2img", **given))
    assert [image.getpixel((x, 12)) for x in (2, 30)] == [WHITE, OWN]


def test_the_edge_of_a_mask_is_blurred(ask: Ask) -> None:
    given = {"init_images": [PHOTO], "mask": encoded(half()), "inpaint_full_res": False}
    (image,) = images_of(ask("white", "img2img", mask_blur=4, **given))
    reds = [image.getpixel((x, 12))[0] for x in range(32)]  # type: ignore[index]
    assert reds == sorted(reds, reverse=True) and 100 < reds[16] < 250


@pytest.mark.parametrize(("is_full", "share"), [(False, 25), (True, 100)])
def test_a_workflow_that_takes_the_mask(ask: Ask, is_full: bool, share: int) -> None:
    """Either all of both is given, or what is below the mask, at the size that is asked for."""
    mask = Image.new("L", (32, 32), 0)
    mask.paste(255, (8, 8, 24, 24))
    answer = ask(
        "masked",
        "img2img",
        init_images=[text_of(png(32, 32))],
        mask=encoded(mask),
        mask_blur=0,
        inpaint_full_res=is_full,
        width=32,
        height=32,
    )
    (image,) = images_of(answer)
    assert image.size == (32, 32)
    assert image.getpixel((16, 16)) == (0, share, 0)
    assert image.getpixel((1, 1)) == OWN


@pytest.mark.parametrize(("fill", "expected"), [(0, OWN), (1, (0, 0, 0)), (2, OWN), (3, OWN)])
def test_what_is_below_the_mask(ask: Ask, fill: int, expected: Any) -> None:
    photo = Image.new("RGB", (32, 24), OWN)
    photo.paste((0, 0, 0), (8, 8, 24, 16))
    mask = Image.new("L", (32, 24), 0)
    mask.paste(255, (6, 6, 26, 18))
    given = {"init_images": [encoded(photo)], "mask": encoded(mask), "mask_blur": 0}
    answer = ask("twice", "img2img", inpainting_fill=fill, inpaint_full_res=False, **given)
    (image,) = images_of(answer)
    assert near(image.getpixel((16, 12)), expected)
    assert any("latents" in note for note in answer.json().get("warnings", [])) == (fill > 1)


def test_a_sampler_changes_the_image(ask: Ask) -> None:
    given = {"prompt": "a lake", "steps": 4, "seed": 7, "width": 128, "height": 128}
    found = {
        name: images_of(ask(TINY, sampler_name=name, **given))[0].tobytes()
        for name in ("Euler", "DDIM", "DPM++ 2M", "DPM++ 2M Karras", "k_dpmpp_2m")
    }
    assert len(set(found.values())) == 3
    assert found["DPM++ 2M"] == found["DPM++ 2M Karras"] == found["k_dpmpp_2m"]
    uniform = ask(TINY, sampler_name="DPM++ 2M", scheduler="Uniform", **given)
    assert images_of(uniform)[0].tobytes() != found["DPM++ 2M"]


def test_every_sampler_and_schedule_is_a_scheduler_of_ours() -> None:
    names = get_args(SchedulerName)
    for sampler in SAMPLERS:
        for schedule in ("", *SCHEDULES, *SCHEDULES.values()):
            assert scheduler_of(sampler, schedule)[0] in names
    assert scheduler_of("Euler", "exponential")[1]
    assert scheduler_of("Heun", "karras")[1]


def test_what_is_not_done_as_asked_is_named(ask: Ask) -> None:
    given = {"tiling": True, "subseed": -1, "restore_faces": False, "url": "http://x.example"}
    varied = {"subseed_strength": 0.5, "seed_resize_from_w": 64, "seed_resize_from_h": 64}
    answer = ask("plain", prompt="x", steps=7, **given, **varied)
    notes = answer.json()["warnings"]
    expected = {"steps", "tiling", "url", "subseed_strength", "seed_resize_from_w"}
    assert {note.split()[0] for note in notes} == expected
    large = ask("sketch", prompt="x", steps=100).json()["warnings"]
    assert large == ["num_inference_steps was brought from 100 to 14, the most that sketch takes"]


def test_networks_that_a_prompt_names_are_noted_and_left_out_of_it(ask: Ask) -> None:
    answer = ask("sketch", prompt="four <lora:night:0.8>", seed=7)
    (image,) = images_of(answer)
    assert image.getpixel((0, 0)) == (4, 0, 0)
    assert answer.json()["warnings"] == ["lora:night in prompt is not used here"]
    assert info_of(answer)["prompt"] == "four <lora:night:0.8>"


REFUSED = [
    ({"checkpoint": "nothing"}, 404, "nothing"),
    ({"checkpoint": "paint"}, 422, "can't be used for txt2img"),
    ({"sampler_name": "magic"}, 404, "Sampler not found"),
    ({"script_name": "X/Y/Z plot"}, 422, "no script"),
    ({"alwayson_scripts": {"ControlNet": {"args": [{"image": "x"}]}}}, 422, "no script"),
    ({"steps": 0}, 422, "steps"),
    ({"width": 100_000}, 422, "width"),
    ({"batch_size": 33}, 422, "batch_size"),
    ({"seed": "many"}, 422, "seed"),
    ({"width": 2000, "height": 2000}, 422, "megapixels"),
    ({"override_settings": {"samples_format": "tga"}}, 422, "samples_format"),
]


@pytest.mark.parametrize(("given", "status", "text"), REFUSED)
def test_what_is_refused(ask: Ask, given: dict[str, Any], status: int, text: str) -> None:
    given = {"checkpoint": "sketch", "prompt": "x"} | given
    refused = ask(given.pop("checkpoint"), **given)
    body = refused.json()
    assert refused.status_code == status, refused.text
    assert body.keys() == {"error", "detail", "body", "errors"} and text in body["errors"]
    if status == 422:
        assert all(one.keys() == {"loc", "msg", "type"} for one in body["detail"])
    else:
        assert text in body["detail"]


def test_scripts_that_do_nothing_are_taken(ask: Ask) -> None:
    scripts = {"ADetailer": {"args": [False]}, "ControlNet": {"args": []}}
    assert len(images_of(ask("sketch", prompt="x", alwayson_scripts=scripts))) == 1


def test_null_is_as_good_as_nothing(ask: Ask) -> None:
    names = ["negative_prompt", "sampler_name", "scheduler", "steps", "width", "height", "styles"]
    nothing = dict.fromkeys([*names, "override_settings_restore_afterwards", "script_args"])
    plain = ask("sketch", prompt="x", seed=7)
    assert ask("sketch", prompt="x", seed=7, **nothing).json() == plain.json()


def test_values_from_an_infotext(ask: Ask) -> None:
    text = "a longer prompt\nNegative prompt: rain\nSteps: 9, Seed: 21, Size: 24x20"
    (image,) = images_of(ask("sketch", infotext=text, steps=4))
    assert (image.size, image.getpixel((5, 5)), image.getpixel((0, 0))) == (
        (24, 20),
        (21, 4, 0),
        (15, 0, 0),
    )


def test_several_images_to_start_from(ask: Ask) -> None:
    given = {"init_images": [PHOTO, PHOTO], "prompt": "x"}
    assert any("1 of 2" in note for note in ask("paint", "img2img", **given).json()["warnings"])


def test_more_than_the_body_may_have(server: LiveServer, ask: Ask) -> None:
    refused = ask("paint", "img2img", init_images=["A" * 3 * 2**20])
    assert refused.status_code == 413 and "larger" in refused.json()["detail"]
