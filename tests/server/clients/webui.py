"""Asks a server through webuiapi. Arguments: URL, user and password. Prints JSON."""

import base64
import io
import json
import sys

import webuiapi
from PIL import Image

url, user, password = sys.argv[1:]
api = webuiapi.WebUIApi(baseurl=f"{url}/sdapi/v1", username=user, password=password)
sampler = "Euler a"


def shown(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def refused(**given: object) -> list[object]:
    try:
        api.txt2img(prompt="x", **given)
    except RuntimeError as error:
        return list(error.args)
    return []


photo = Image.new("RGB", (64, 64), (96, 144, 192))
mask = Image.new("L", (64, 64), 0)
mask.paste(255, (0, 0, 32, 64))
before = api.util_get_current_model()
api.util_set_model("sketch", find_closest=False)
made = api.txt2img(prompt="a lake", seed=7, steps=5, batch_size=2, width=64, height=48)
edited = api.img2img(
    images=[photo],
    mask_image=mask,
    mask_blur=0,
    prompt="seven..",
    steps=6,
    seed=3,
    width=64,
    height=64,
    override_settings={"sd_model_checkpoint": "white"},
)
real = api.txt2img(
    prompt="a lake",
    steps=2,
    width=128,
    height=128,
    sampler_name="DPM++ 2M",
    scheduler="Karras",
    override_settings={"sd_model_checkpoint": "nodetool/tiny-landscapes"},
)
TINY = {"sd_model_checkpoint": "nodetool/tiny-landscapes"}
large = api.txt2img(
    prompt="a (lake:1.3) <lora:night:0.8>",
    negative_prompt="rain",
    steps=2,
    width=128,
    height=128,
    enable_hr=True,
    hr_scale=1.5,
    hr_upscaler=webuiapi.HiResUpscaler.Latent,
    denoising_strength=0.5,
    override_settings=TINY | {"CLIP_stop_at_last_layers": 2},
)
api.util_wait_for_ready()
print(
    json.dumps(
        {
            "before": before,
            "after": api.util_get_current_model(),
            "models": api.util_get_model_names(),
            "samplers": api.util_get_sampler_names(),
            "schedulers": api.util_get_scheduler_names(),
            "made": [shown(image) for image in made.images],
            "info": made.info,
            "edited": shown(edited.image),
            "real": shown(real.image),
            "second": shown(large.image),
            "second_info": large.info,
            "written": api.png_info(made.images[0]).info,
            "large": shown(api.extra_single_image(photo, upscaler_1="twice").image),
            "several": [one.size for one in api.extra_batch_images([photo, photo]).images],
            "progress": api.get_progress(),
            "ended": [api.interrupt(), api.skip()],
            "lists": [
                api.get_upscalers(),
                api.get_latent_upscale_modes(),
                api.get_sd_vae(),
                api.get_loras(),
                api.get_hypernetworks(),
                api.get_face_restorers(),
                api.get_realesrgan_models(),
                api.get_prompt_styles(),
                api.get_embeddings(),
                api.get_memory(),
                api.get_cmd_flags(),
                api.get_scripts(),
                api.refresh_checkpoints(),
            ],
            "refused": [
                refused(override_settings={"sd_model_checkpoint": "nothing"}),
                refused(steps=0),
            ],
        }
    )
)
