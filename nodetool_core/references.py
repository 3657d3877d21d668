"""
References: small JSON objects that stand for something large or elsewhere.

An image, a folder, a model's weights.

The JSON form is that of the node reference pages: `{"type": "image", "uri": "", "asset_id": null,
"data": null}`. A plain string is accepted where a reference is expected: a path or URI for assets,
a Hub id or a local path for models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from nodetool_core.hub_addresses import read_page


class Reference(BaseModel):
    """
    Base of all references.

    `type` names the kind in JSON; fields in `_when_set` are written only when they are set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    _text_field: ClassVar[str] = ""
    _when_set: ClassVar[frozenset[str]] = frozenset()

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            if values or not _is_made_of_defaults(type(self)):
                super().__init__(**values)
                return
            empty = self.model_construct()
            for name in BaseModel.__slots__:
                object.__setattr__(self, name, getattr(empty, name))

        __init__.__pydantic_base_init__ = True
        """As pydantic marks its own: validation does not come through here."""

    @classmethod
    def type_name(cls) -> str:
        """Return the kind as JSON spells it, such as `image` or `hf.image_to_image`."""
        return str(cls.model_fields["type"].default)

    @model_validator(mode="before")
    @classmethod
    def _accept_text(cls, value: object) -> Any:
        return {cls._text_field: value} if isinstance(value, str) and cls._text_field else value

    @model_serializer(mode="wrap")
    def _leave_out_unset(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, object] = handler(self)
        return {
            name: value
            for name, value in written.items()
            if value is not None or name not in self._when_set
        }

    def is_empty(self) -> bool:
        """Return whether the reference names nothing, as a default does."""
        return self == type(self)()


def _is_made_of_defaults(cls: type[Reference]) -> bool:
    """
    Return whether an empty reference can be made without the schema of its class.

    Nodes declare hundreds of them as defaults, and building a schema takes a millisecond: the first
    reference that has values builds it.
    """
    return (
        not cls.__pydantic_complete__
        and cls.__pydantic_decorators__.model_validators.keys() <= _VALIDATORS_OF_VALUES
        and not any(field.is_required() for field in cls.model_fields.values())
    )


_VALIDATORS_OF_VALUES = frozenset(
    {"_accept_text", "_accept_image_model", "_accept_page", "_check_parts"}
)
"""Those that leave alone what has no values."""


class AssetRef(Reference):
    """
    Something stored outside the workflow.

    By URI (a path, `file:`, `data:`), by asset id, or inline as base64.
    """

    _text_field = "uri"
    _when_set = frozenset({"metadata"})

    type: str = "asset"
    uri: str = Field(default="", description="A path, or a file:, data: or asset: URI.")
    asset_id: str | None = Field(default=None, description="Id in the asset store.")
    data: str | None = Field(default=None, description="The encoded bytes themselves, base64.")
    metadata: dict[str, Any] | None = Field(
        default=None, description="Whatever the author wants to keep with it."
    )

    @property
    def stored_as(self) -> str | None:
        """
        Its id in the asset store, given as `asset_id` or as an `asset:` URI.

        None where its content is elsewhere.
        """
        if self.data:
            return None
        if not self.uri:
            return self.asset_id or None
        scheme, colon, name = self.uri.partition(":")
        return name.lstrip("/") if colon and scheme.lower() == "asset" else None

    def is_empty(self) -> bool:
        return not (self.uri or self.asset_id or self.data)


class ImageRef(AssetRef):
    """
    An image.

    Nodes get the pixels with `context.image(ref)` and return new ones with
    `context.image_from_pil(image)`.
    """

    type: Literal["image"] = "image"


class FolderRef(AssetRef):
    """A folder on this machine."""

    type: Literal["folder"] = "folder"


class ColorRef(Reference):
    """A colour, `#rrggbb` or `#rrggbbaa`."""

    _text_field = "value"

    type: Literal["color"] = "color"
    value: str | None = Field(
        default="#000000",
        pattern=r"^#([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$",
        description="#rrggbb or #rrggbbaa.",
    )


class ImageSizeRef(Reference):
    """A width and a height in pixels."""

    type: Literal["image_size"] = "image_size"
    width: int = Field(default=512, ge=1)
    height: int = Field(default=512, ge=1)
    preset: str | None = None

    _when_set = frozenset({"preset"})


class FontRef(Reference):
    """
    A font by the name of its family or file, such as `DejaVu Serif`, or by its path.

    Empty for DejaVu Sans, which ships.
    """

    _text_field = "name"

    type: Literal["font"] = "font"
    name: str = ""


PartRole = Literal["denoiser", "text_encoder", "vae"]
"""What a part of a model is."""

NumberFormat = Literal["float32", "float16", "bfloat16"]
EncoderQuantization = Literal[
    "torchao_int8", "torchao_float8", "quanto_int8", "quanto_int4", "quanto_float8"
]
Quantization = Literal["fp8", EncoderQuantization]
StepCache = Literal["first_block", "taylor_seer", "mag", "pyramid_attention", "faster"]
Attention = Literal[
    "native", "math", "efficient", "cudnn", "flex", "flash", "flash_3", "sage", "xformers"
]

_LOCAL_PROVIDERS = frozenset({"", "empty", "huggingface", "hf", "local"})
"""Who runs a model of the Hub on this machine, in `image_model`."""


class ModelRef(Reference):
    """
    Weights of a model.

    A Hub repository, a local directory in diffusers form, or a single safetensors file. Parts of it
    may come from elsewhere: then it is their base, and has to have only what they don't give.
    """

    _text_field = "repo_id"
    _when_set = frozenset(
        {
            "revision",
            "dtype",
            "quantization",
            "encoder_quantization",
            "compile",
            "step_cache",
            "attention",
            "denoiser",
            "text_encoders",
            "vae",
        }
    )

    type: str = "hf.model"
    repo_id: str = Field(
        default="",
        description=(
            "Hub id such as `owner/name`, or a path on this machine; empty for the node's own"
            " default."
        ),
    )
    path: str | None = Field(default=None, description="A single file inside the repository.")
    variant: str | None = Field(default=None, description="Weight variant such as `fp16`.")
    allow_patterns: list[str] | None = Field(
        default=None, description="Only fetch files that match one of these."
    )
    ignore_patterns: list[str] | None = Field(
        default=None, description="Never fetch files that match one of these."
    )
    revision: str | None = Field(
        default=None, description="Branch, tag or commit; the commit used is recorded."
    )
    dtype: NumberFormat | None = Field(
        default=None,
        description="Number format to compute in; the device's own where none is named.",
    )
    quantization: Quantization | None = Field(
        default=None,
        description=(
            "`fp8` keeps the denoiser's weights in 8 bits: a quarter of float32, with a small loss"
            " of detail. The others round its linear layers by torchao or quanto."
        ),
    )
    encoder_quantization: EncoderQuantization | None = Field(
        default=None, description="The same for the text encoders."
    )
    compile: bool | None = Field(
        default=None,
        description="Compile the denoiser: slower the first time, faster from then on.",
    )
    step_cache: StepCache | None = Field(
        default=None,
        description=(
            "Have the transformer take from earlier steps what changes little: faster, with a"
            " result near to the plain one."
        ),
    )
    attention: Attention | None = Field(
        default=None,
        description="Code that computes attention; torch's own choice where none is named.",
    )
    denoiser: ModelRef | None = Field(
        default=None,
        description="UNet or transformer in the place of the model's own: a file or a folder.",
    )
    text_encoders: tuple[ModelRef, ...] | None = Field(
        default=None,
        description="Text encoders in the place of the model's own; each finds its place itself.",
    )
    vae: ModelRef | None = Field(
        default=None,
        description="Autoencoder in the place of the model's own: a file or a folder.",
    )

    @property
    def parts(self) -> list[tuple[PartRole, ModelRef]]:
        """What takes the place of components of the model, with what each is."""
        given: list[tuple[PartRole, ModelRef | None]] = [
            ("denoiser", self.denoiser),
            *[("text_encoder", one) for one in self.text_encoders or ()],
            ("vae", self.vae),
        ]
        return [(role, one) for role, one in given if one is not None and not one.is_empty()]

    @property
    def label(self) -> str:
        """What it is called in reports: the base, and what its parts come from."""
        own = "/".join(one for one in (self.repo_id, self.path) if one)
        return " + ".join([*([own] if own else []), *(part.label for _, part in self.parts)])

    @property
    def key(self) -> ModelRef:
        """
        The reference without its lists, by which it can be looked up.

        They say what to fetch, not what to load.
        """
        plain = {"allow_patterns": None, "ignore_patterns": None}
        changed: dict[str, object] = {
            name: None
            if name in plain
            else tuple(one.key for one in value)
            if isinstance(value, tuple)
            else value.key
            for name in ("denoiser", "text_encoders", "vae", *plain)
            if (value := getattr(self, name)) is not None
        }
        return self.model_copy(update=changed) if changed else self

    @property
    def without_parts(self) -> ModelRef:
        """The base alone."""
        return self.model_copy(update={"denoiser": None, "text_encoders": None, "vae": None})

    @field_validator("text_encoders", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        """Take a list for a tuple, which can be a key of tables."""
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if any(one.parts for _, one in self.parts):
            raise ValueError("a part of a model has no parts itself")
        return self

    @model_validator(mode="before")
    @classmethod
    def _accept_image_model(cls, value: object) -> Any:
        """NodeTool's `image_model` names the weights by `id`, and by `provider` who runs them."""
        if not isinstance(value, dict) or value.get("type") != "image_model":
            return value
        provider = str(value.get("provider", "")).lower()
        if provider not in _LOCAL_PROVIDERS:
            raise ValueError(
                f"the provider {provider!r} runs its own models; choose one of the Hub"
            )
        return {"repo_id": value.get("id", ""), "path": value.get("path")}

    @model_validator(mode="before")
    @classmethod
    def _accept_page(cls, value: Any) -> Any:
        """
        Read the address of a model's page on the Hub as what it shows.

        People copy it from a browser.
        """
        given = {"repo_id": value} if isinstance(value, str) else value
        named = (
            read_page(given["repo_id"])
            if isinstance(given, dict) and isinstance(given.get("repo_id"), str)
            else None
        )
        return (
            value
            if named is None
            else named
            | {key: one for key, one in given.items() if key != "repo_id" and one is not None}
        )

    def is_empty(self) -> bool:
        return not (self.repo_id or self.path or self.parts)


class ImageToImageModel(ModelRef):
    """
    A model for image to image.

    The kind is what a property expects; weights of every kind can be given to it.
    """

    type: str = "hf.image_to_image"


def reference_types() -> dict[str, type[Reference]]:
    """Return every concrete reference class by its JSON kind."""
    found: dict[str, type[Reference]] = {}
    pending: list[type[Reference]] = list(Reference.__subclasses__())
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if cls.__module__ == __name__:
            found[cls.type_name()] = cls
    return found


__all__ = [
    "AssetRef",
    "Attention",
    "ColorRef",
    "EncoderQuantization",
    "FolderRef",
    "FontRef",
    "ImageRef",
    "ImageSizeRef",
    "ImageToImageModel",
    "ModelRef",
    "NumberFormat",
    "PartRole",
    "Quantization",
    "Reference",
    "StepCache",
    "reference_types",
]
