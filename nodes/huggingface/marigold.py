"""Depths and normals by diffusion: the pipelines of Marigold (Ke et al., 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from nodes.huggingface.noise import seeded_generator
from nodetool_core import Context, ModelRef, NodeError
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.progress import report_steps

if TYPE_CHECKING:
    import numpy as np
    from diffusers.pipelines.marigold.pipeline_marigold_depth import MarigoldDepthOutput
    from diffusers.pipelines.marigold.pipeline_marigold_normals import MarigoldNormalsOutput
    from numpy.typing import NDArray
    from PIL import Image

Task = Literal["depth-estimation", "normals-estimation"]


def is_pipeline(model: ModelRef, context: Context) -> bool:
    """Return whether a model is a pipeline of diffusers, and no network alone."""
    try:
        context.models.class_of(model, "network", context=context)
    except ModelError as error:
        if error.problem.code != "model_not_diffusers":
            raise
        return True
    return False


def estimated(
    model: ModelRef, task: Task, image: Image.Image, steps: int, seed: int, context: Context
) -> NDArray[np.float32]:
    """
    Return what a pipeline estimates for each pixel of an image (RGB), (height, width, channels).

    Depths are from 0 (near) to 1 (far). Normals are x to the right, y up and z towards the eye.

    Args:
        steps: Steps of denoising; 0 for as many as the model was made for.
        seed: Of the noise that the estimate begins with.

    Raises NodeError for numbers that overflow.
    """
    import numpy as np

    with context.models.use(model, task, context=context) as lease:
        report_steps(lease.pipeline, context, (0, 1))
        arguments: dict[str, object] = {
            "image": image,
            "num_inference_steps": steps or None,
            "generator": seeded_generator(seed, context),
        }
        output = cast("MarigoldDepthOutput | MarigoldNormalsOutput", lease.run(arguments))
        found = np.asarray(output.prediction[0], np.float32)
    if not np.isfinite(found).all():
        raise NodeError(
            "The estimate holds no numbers: they overflowed.",
            "Set the model's `dtype` to float32.",
            code="not_finite",
            where="model",
        )
    return found
