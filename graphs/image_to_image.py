"""
Transform an image by a prompt: the workflow of image_to_image.json, built in Python.

The first line turns the lake at noon into the lake at sunset, the second takes your own image and
prompt:

    python graphs/image_to_image.py
    python graphs/image_to_image.py photo.jpg "a snowy winter night"
"""

from __future__ import annotations

import sys
from pathlib import Path

from nodes.huggingface.image_to_image import ImageToImage
from nodes.nodetool.input import (
    FloatInput,
    HuggingFaceModelInput,
    ImageInput,
    IntegerInput,
    StringInput,
)
from nodes.nodetool.output import Output
from nodetool_core import Workflow

image = ImageInput(name="image", value=str(Path(__file__).parent / "assets" / "lake.jpg"))
prompt = StringInput(
    name="prompt", value="A beautiful landscape with mountains and a lake at sunset"
)
model = HuggingFaceModelInput(name="model")
image = ImageToImage(
    image=image.output,
    prompt=prompt.output,
    model=model.output,
    negative_prompt=StringInput(name="negative_prompt").output,
    num_inference_steps=IntegerInput(name="num_inference_steps", value=25, min=1, max=100).output,
    guidance_scale=FloatInput(name="guidance_scale", value=7.5, max=20.0).output,
    strength=FloatInput(name="strength", value=0.5, max=1.0).output,
    keep_size="tiles",
    seed=IntegerInput(name="seed", value=3, min=-1, max=2**64 - 1).output,
)
workflow = Workflow(Output(name="image", value=image.output))

if __name__ == "__main__":
    given = dict(zip(("image", "prompt"), sys.argv[1:], strict=False))
    result = workflow.run(given)
    print(result["image"].save("image.png"))
