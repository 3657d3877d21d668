"""
The one object that a node sees of the engine: progress, cancel, warnings, images, models, secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

from nodetool_core.errors import RunCancelled
from nodetool_core.references import AssetRef, ImageRef
from nodetool_core.values import map_leaves

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from PIL import Image

    from nodetool_core.assets.image_data import ImageData
    from nodetool_core.references import ModelRef
    from nodetool_core.secrets import Secret, Secrets


Kind = TypeVar("Kind")


class Pipeline(Protocol):
    """
    A pipeline of diffusers: the members that most have, and that are used.

    What only some families have, such as `unet`, is looked up by its name. Tensors and number
    formats are objects here, as this module knows nothing of torch.
    """

    components: Mapping[str, Any]
    """Modules, tokenizers and schedulers, by name."""
    config: Mapping[str, object]
    """How it was saved."""
    dtype: object
    scheduler: Scheduler
    image_processor: object
    progress_bar: Callable[..., Iterable[object]]
    """Wraps the denoising loop."""

    def __call__(self, **arguments: object) -> object:
        """Return what it makes, in the output class of its family."""
        ...

    def register_modules(self, **components: object) -> None:
        """Replace components, or add some."""
        ...

    def load_ip_adapter(
        self,
        tensors: object,
        subfolder: str | list[None] | None,
        weight_name: str | list[None] | None,
    ) -> None:
        """Add an IP adapter, whose tensors come in two groups, or several in lists."""
        ...

    def set_ip_adapter_scale(self, scale: float | list[float]) -> None:
        """Weigh the image prompt, or each of several."""
        ...


class Scheduler(Protocol):
    """A scheduler of diffusers: it knows the noise of each step, and removes it."""

    config: Mapping[str, object]
    """How it was saved."""


class Lease(Protocol):
    """What `Models.use` lends a node until its block ends."""

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that `run` calls: the node's own, over weights that are shared."""
        ...

    @property
    def part(self) -> Any:
        """Where the task asks for no pipeline: the `ModelPart`, shared and not to be changed."""
        ...

    def in_full_precision(self) -> bool:
        """Have `run` compute in float32; return whether the weights and the memory allow it."""
        ...

    def compose(self, pipeline: Pipeline, *others: Self) -> None:
        """Have `run` call this pipeline, which has modules of other leases besides its own."""
        ...

    def run(self, arguments: Mapping[str, object]) -> object:
        """
        Call the pipeline and return what it returns.

        Memory is reserved for the call, and it is done again with less where memory runs out.
        Raises ModelError with the code `out_of_memory` where nothing helps, and whatever the
        pipeline raises.
        """
        ...


class Models(Protocol):
    """What a node may ask of the weights manager."""

    def use(self, ref: ModelRef, task: str, *, context: Context) -> AbstractContextManager[Lease]:
        """
        Lend the pipeline for a task, loaded and pinned until the block ends.

        Tasks are `image-to-image`, `text-to-image` and `inpainting`. Every block gets a pipeline of
        its own with schedulers of its own; the weights are shared. Progress of a download or load
        goes to `context`. Raises ModelError with what to do where the model can't be had.
        """
        ...

    def class_of(self, ref: ModelRef, task: str, *, context: Context) -> type | None:
        """
        Return the class of the pipeline, or of the network, that `use` would lend.

        Loads no weights; fetches what `use` would. None where only the weights can say. Raises
        ModelError where the model can't do the task.
        """
        ...

    def is_loaded(self, ref: ModelRef) -> bool:
        """Return whether the weights are on the device now. Never loads or fetches anything."""
        ...

    def revision(self, ref: ModelRef) -> str | None:
        """
        Return which weights a reference stands for: a commit, or a digest of local files.

        None where none are here yet.
        """
        ...

    def lora_misfit(
        self, lora: ModelRef, model: ModelRef, task: str, *, context: Context
    ) -> str | None:
        """
        Return why a LoRA can't be put on a model; None where the heads of the files show nothing.

        Files are fetched where they are not here yet, and no weights are read. Raises ModelError.
        """
        ...


class Images(Protocol):
    """What a node may ask of the asset room."""

    def open(self, ref: ImageRef, warn: Callable[[str], None]) -> Image.Image:
        """
        Return the pixels behind a reference, decoded under the limits. Raises ImageError.

        `warn` takes what is lost or guessed in reading them.
        """
        ...

    def path(self, uri: str) -> Path:
        """
        Return where a path or `file:` URI leads: relative ones start from the run's base folder.

        Raises ImageError.
        """
        ...


class Sources(Protocol):
    """What a cache key may know of the content behind references."""

    def digest(self, ref: AssetRef) -> str:
        """Return the hash of the content of an asset. Raises ImageError."""
        ...

    def revision(self, ref: ModelRef) -> str | None:
        """Return which weights a reference stands for, asking no network. Raises ModelError."""
        ...


class Cancelled(Protocol):
    """Says whether to stop; a `threading.Event` is one."""

    def is_set(self) -> bool: ...


class Reporter:
    """Takes what a node reports. This one drops all of it: override what is of interest."""

    __slots__ = ()

    def progress(self, step: int, total: int, message: str) -> None:
        """Note that `step` of `total` steps are done."""

    def expects(self, items: int) -> None:
        """Note how many items a node that streams will give."""

    def preview(self, image: Image.Image, step: int, total: int) -> None:
        """Show an image, which belongs to whoever takes it."""

    def warning(self, message: str, details: Mapping[str, object]) -> None:
        """Note what was not done as requested."""


class Context:
    """Made by the engine for one execution of one node."""

    __slots__ = (
        "_cancelled",
        "_reporter",
        "_secrets",
        "_services",
        "images",
        "models",
        "node_id",
        "wants_previews",
    )

    def __init__(
        self,
        node_id: str,
        *,
        reporter: Reporter,
        cancelled: Cancelled,
        images: Images,
        models: Models,
        wants_previews: bool = False,
        secrets: Secrets | None = None,
        services: Callable[[type], object] | None = None,
    ) -> None:
        self.node_id = node_id
        self.wants_previews = wants_previews
        """Whether somebody looks at intermediate images; making them is only worth it then."""
        self.images = images
        self.models = models
        self._reporter = reporter
        self._cancelled = cancelled
        self._secrets = secrets
        self._services = services

    def progress(self, step: int, total: int, message: str = "") -> None:
        """
        Report that `step` of `total` steps are done.

        Raises RunCancelled where the run was cancelled meanwhile.
        """
        self.check_cancelled()
        self._reporter.progress(step, total, self._redacted(message))

    def expects(self, items: int) -> None:
        """
        Report how many items a node that streams will give.

        The run then reports how many of them have been worked on, of how many.
        """
        self._reporter.expects(items)

    def preview(self, image: Image.Image, step: int = 0, total: int = 0) -> None:
        """Show an intermediate or side result; do nothing where nobody requested previews."""
        from nodetool_core.assets.copy_on_write import CopyOnWriteImage

        # Whoever looks at it does so while the node goes on drawing.
        self._reporter.preview(CopyOnWriteImage.sealed(image), step, total)

    def warn(self, message: str, **details: object) -> None:
        """
        Report what was not done as requested.

        Goes to whoever started the run, and into the result's `warnings`.
        """
        self._reporter.warning(
            self._redacted(message),
            map_leaves(
                details, lambda leaf: self._redacted(leaf) if isinstance(leaf, str) else leaf
            ),
        )

    @property
    def cancelled(self) -> bool:
        """Whether the node should stop: the run was cancelled, or the node's time is up."""
        return self._cancelled.is_set()

    def check_cancelled(self) -> None:
        """
        Raise RunCancelled where the node should stop.

        Call it in long loops that report no progress.
        """
        if self._cancelled.is_set():
            raise RunCancelled

    def image(self, ref: ImageRef, mode: str | None = None) -> Image.Image:
        """
        Return the pixels of a reference.

        The image is the node's own: they are copied when it is first changed.

        Without a mode they come as they are, with their colour profile in `info`: `1`, `L`, `LA`,
        `RGB`, `RGBA`, or for deep tones `I;16` or `F` (0 to 1). With a mode they are sRGB in that
        mode: `RGB` puts transparent pixels on white, and where tones lose bits, the run's warnings
        say so. Raises ImageError.
        """
        from nodetool_core.assets.modes import BITS_LOST, DEEP_MODES, in_mode
        from nodetool_core.assets.profiles import in_srgb

        image = self.images.open(ref, self.warn)
        if mode is None:
            return image
        if image.mode in DEEP_MODES and mode not in DEEP_MODES:
            self.warn(BITS_LOST)
            image = in_mode(image, "L")
        return in_mode(in_srgb(image), mode)

    def image_from_pil(self, image: Image.Image) -> ImageData:
        """
        Return what an image of Pillow shows now, as the value of an output.

        A profile that came along from an image of another kind, such as colours' with a mask made
        of them, is left out.
        """
        from nodetool_core.assets.image_data import ImageData
        from nodetool_core.assets.profiles import is_out_of_place, without_profile

        return ImageData.of(without_profile(image) if is_out_of_place(image) else image)

    def service(self, kind: Callable[..., Kind]) -> Kind:
        """
        Return the service of a class, which the node's class has to declare in `services`.

        `kind` is the class, which may be abstract or a Protocol.

        Raises ServiceError where it does not, or where the engine has none.
        """
        from nodetool_core.services import Services

        wanted = cast(type, kind)
        found = Services().get(wanted) if self._services is None else self._services(wanted)
        return cast(Kind, found)

    def secret(self, *names: str) -> Secret:
        """
        Return a key of a hosted service, by the first of these names that is set on this machine.

        `reveal()` returns its text.

        Raises SecretError where none is, with what to do. Ask for it where it is used: what it says
            belongs into no output.
        """
        return self._known_secrets().secret(*names)

    def has_secret(self, name: str) -> bool:
        """Return whether a secret of this name is set on this machine."""
        return self._known_secrets().has(name)

    def setting(self, name: str, default: str = "") -> str:
        """Return a value of this machine that is no secret, such as the address of a service."""
        return self._known_secrets().setting(name, default)

    def _known_secrets(self) -> Secrets:
        if self._secrets is None:
            from nodetool_core.secrets import Secrets

            self._secrets = Secrets()
        return self._secrets

    def _redacted(self, text: str) -> str:
        """Return a text without the secrets that were handed out."""
        return text if self._secrets is None else self._secrets.redact(text)
