"""Image to image at Qolaba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from nodes.qolaba.apps import LARGEST, LARGEST_LISTED, SMALLEST, AppName, find_app, size_for
from nodetool_core import Context, Field, ImageData, ImageRef, Lane, Node, NodeError, Sources

if TYPE_CHECKING:
    from nodes.qolaba.apps import App, Size


class Images(NamedTuple):
    """What a request makes."""

    output: Annotated[ImageRef, "The first image."]
    images: Annotated[list[ImageRef], "All images, as many as `batch` asks for."]


class ImageToImage(Node):
    """
    Transforms an image by a prompt with an app of Qolaba: Flux Dev, Canny, Depth, Redux, PulID and
    Kontext Max, Ideogram Remix, GPT Image, or another by its id. The image and the prompt leave
    this machine, and the service is paid for it. Needs the secret QOLABA_API_KEY, and
    QOLABA_BASE_URL for the address of the API.
    qolaba, hosted, image-to-image

    Use cases:
    - Restyle an image and keep its edges (Flux Canny) or its depth (Flux Depth)
    - Edit by instruction (Flux Kontext Max, GPT Image)
    - Make variations of an image (Flux Redux), or keep a face (Flux PulID)
    """

    lane = Lane.NETWORK

    app: AppName = Field(
        default="Flux Dev", description="The model. It decides which sizes there are."
    )
    app_id: str = Field(
        default="",
        max_length=100,
        description=(
            "Id of an app that is not in the list, such as an SDXL app or one of Qolaba's own"
            " models; then app is not used."
        ),
    )
    image: ImageRef = Field(
        default=ImageRef(),
        description=(
            "The image to start from. A web address goes to the service as it is; any other image"
            " is sent along, scaled down to fit 1536 x 1536 where it is larger."
        ),
    )
    prompt: str = Field(default="", description="What the image should become.")
    negative_prompt: str = Field(default="", description="What should not appear in the image.")
    file_urls: list[ImageRef] | None = Field(
        default=None,
        max_length=8,
        description=(
            "Further images as context or reference. Only with celery; apps that take one image"
            " ignore them."
        ),
    )
    guidance_scale: float = Field(
        default=7.5, ge=1.0, le=30.0, description="How closely the prompt is followed."
    )
    batch: int = Field(
        default=1, ge=1, le=8, description="How many images are made at once. Each is paid for."
    )
    strength: float = Field(
        default=0.7,
        ge=0.0,
        le=1.0,
        description="How far the result may be from the image; 1 disregards it.",
    )
    width: int | None = Field(
        default=None,
        ge=SMALLEST,
        le=LARGEST_LISTED,
        description=(
            "Width in pixels, with height, one of the app's sizes. Empty for the size whose shape"
            " is nearest to the image's."
        ),
    )
    height: int | None = Field(
        default=None, ge=SMALLEST, le=LARGEST_LISTED, description="Height in pixels, with width."
    )
    celery: bool = Field(
        default=True,
        description=(
            "Queue the work and ask for the result until it is there. Off, one request stays open"
            " until it is done."
        ),
    )
    inference_type: Literal["any", "a10g", "a100", "h100"] = Field(
        default="any",
        description=(
            "The GPU that does the work; only for Qolaba's own models (an app_id that is not in the"
            " list)."
        ),
    )
    seed: int = Field(
        default=-1,
        ge=-1,
        seed=True,
        description=(
            "Not sent: the service has no seed, and an equal request makes another image. With -1"
            " every run asks and pays for a new one; with a number, an equal request is answered"
            " from the result cache."
        ),
    )
    timeout: float = Field(
        default=300.0,
        ge=1.0,
        le=3600.0,
        description="Seconds that all of it may take: queue, work, and fetching the images.",
    )
    attempts: int = Field(
        default=4,
        ge=1,
        le=10,
        description=(
            "How often a busy service is asked. Work that was taken on is never asked for twice."
        ),
    )

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        # What a web address leads to is not known here.
        references = [values.get("image"), *(values.get("file_urls") or [])]
        return (
            None
            if any(isinstance(ref, ImageRef) and _is_on_the_web(ref) for ref in references)
            else ""
        )

    async def process(self, context: Context) -> Images:
        import asyncio

        from nodes.qolaba import client
        from nodes.services.waiting import Waiting

        app = self._app(context)
        key, base = context.secret(client.API_KEY), client.base_url(context)
        request = await asyncio.to_thread(self._request, context, app)
        waiting = Waiting(context, client.SERVICE, timeout=self.timeout, attempts=self.attempts)
        made = await client.images(waiting, request, base=base, key=key)
        if len(made) != self.batch:
            context.warn(f"{len(made)} images were made in place of {self.batch}.")
        images: list[ImageRef] = [context.image_from_pil(image) for image in made]
        return Images(images[0], images)

    def _app(self, context: Context) -> App:
        """Return the app, once what is asked of it is known to be possible. Raises NodeError."""
        app = find_app(self.app, self.app_id)
        if self.file_urls and not self.celery:
            raise NodeError(
                "goes only with celery.",
                "Switch celery on.",
                code="invalid_value",
                where="file_urls",
            )
        if (self.width is None) != (self.height is None):
            raise NodeError(
                "width and height are given both or not at all.",
                code="invalid_value",
                where="width, height",
            )
        if app.is_listed and self.inference_type != "any":
            context.warn(
                f"inference_type is not used: {app.name} does not run on Qolaba's own machines."
            )
        if app.is_listed and not app.sizes and self.width is not None:
            context.warn(f"width and height are not used: {app.name} makes the size of the image.")
        return app

    def _request(self, context: Context, app: App) -> dict[str, Any]:
        """Return the body of the request. Leaves out what is not set."""
        image, size = _sent(context, self.image)
        wanted = None if self.width is None or self.height is None else (self.width, self.height)
        width, height = size_for(app, wanted, size) or (None, None)
        request: dict[str, Any] = {
            "app_id": app.id,
            "image": image,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "guidance_scale": self.guidance_scale,
            "batch": self.batch,
            "strength": self.strength,
            "width": width,
            "height": height,
            "celery": self.celery,
            "file_urls": [_sent(context, ref)[0] for ref in self.file_urls or []],
            "inference_type": (
                None if app.is_listed or self.inference_type == "any" else self.inference_type
            ),
        }
        return {name: value for name, value in request.items() if value not in (None, "", [])}


def _is_on_the_web(ref: ImageRef) -> bool:
    return not isinstance(ref, ImageData) and ref.uri.lower().startswith(("http://", "https://"))


def _sent(context: Context, ref: ImageRef) -> tuple[str, Size | None]:
    """
    Return the address that the service gets for an image, and its size where it is known.

    A web address, or the image as a data: URI.
    """
    import base64

    from nodes.services.addresses import origin
    from nodetool_core.assets.encode import encode_image

    if _is_on_the_web(ref):
        origin(ref.uri)
        return ref.uri, None
    image = context.image(ref, "RGB")
    if max(image.size) > LARGEST:
        image = image.copy()
        image.thumbnail((LARGEST, LARGEST))
    encoded = base64.b64encode(encode_image(image, "PNG")).decode()
    return f"data:image/png;base64,{encoded}", image.size
