"""
The same pipeline behind a minimal FastAPI handler.

What bench/serving.py measures the server against.

    python bench/serving_rivals.py PORT

It does no more than it takes: decode the image, call the pipeline, encode the result. It has no
queue limit, no cache, no limits on images, and no checks of parameters. serving_litserve.py is the
other one.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path
from typing import Any

WEIGHTS = (
    Path(__file__).resolve().parents[1] / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
)


class Painter:
    """The bare pipeline."""

    def __init__(self) -> None:
        import torch
        from diffusers import AutoPipelineForImage2Image

        self.torch = torch
        self.pipeline = AutoPipelineForImage2Image.from_pretrained(
            WEIGHTS, dtype=torch.float32, use_safetensors=True
        )
        self.pipeline.set_progress_bar_config(disable=True)

    def paint(self, image: Any, prompt: str, steps: int, seed: int) -> Any:
        generator = self.torch.Generator().manual_seed(seed)
        with self.torch.no_grad():
            return self.pipeline(
                prompt, image=image, strength=1.0, num_inference_steps=steps, generator=generator
            ).images[0]


def answer(painter: Painter, body: dict[str, Any]) -> bytes:
    """Return one request of the Hugging Face form, as the bytes of a PNG."""
    from PIL import Image

    parameters = body["parameters"]
    image = Image.open(io.BytesIO(base64.b64decode(body["inputs"]))).convert("RGB")
    made = painter.paint(
        image, parameters["prompt"], parameters["num_inference_steps"], parameters["seed"]
    )
    buffer = io.BytesIO()
    made.save(buffer, "PNG")
    return buffer.getvalue()


def run_fastapi(port: int) -> None:
    import threading

    import uvicorn
    from fastapi import FastAPI, Response

    app, painter, turn = FastAPI(), Painter(), threading.Lock()

    @app.post("/paint")
    def handle(body: dict[str, Any]) -> Response:
        with turn:
            return Response(answer(painter, body), media_type="image/png")

    uvicorn.run(app, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    run_fastapi(int(sys.argv[1]))
