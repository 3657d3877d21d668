"""Fixed values for other nodes to share."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, NamedTuple

from nodetool_core import Context, Field, ImageRef, ImageSizeRef, Lane, ModelRef, Node, NodeError


class Bool(Node):
    """
    A fixed yes or no.
    constant, boolean, bool, logic

    Use cases:
    - Set one switch for several nodes
    - Give a condition while a workflow is being built
    """

    synonyms = ("PrimitiveBoolean", "Primitive", "Toggle")

    lane = Lane.INLINE

    value: bool = Field(default=False, description="Yes or no.")

    def process(self) -> Annotated[bool, "The value."]:
        return self.value


class Integer(Node):
    """
    A fixed whole number.
    constant, integer, number

    Use cases:
    - Share one seed or size among several nodes
    - Name a number that a workflow depends on
    """

    synonyms = ("PrimitiveInt", "Primitive", "Number", "Int")

    lane = Lane.INLINE

    value: int = Field(default=0, description="The number.")

    def process(self) -> Annotated[int, "The number."]:
        return self.value


class Float(Node):
    """
    A fixed number.
    constant, float, number

    Use cases:
    - Share one strength among several nodes
    - Name a factor that a workflow depends on
    """

    synonyms = ("PrimitiveFloat", "Primitive", "Number")

    lane = Lane.INLINE

    value: float = Field(default=0.0, description="The number.")

    def process(self) -> Annotated[float, "The number."]:
        return self.value


class String(Node):
    """
    A fixed text.
    constant, string, text, prompt

    Use cases:
    - Share one prompt among several nodes
    - Give a part of a prompt to a template
    """

    synonyms = ("PrimitiveString", "Primitive", "Text Multiline", "Prompt")

    lane = Lane.INLINE

    value: str = Field(default="", description="The text.")

    def process(self) -> Annotated[str, "The text."]:
        return self.value


class List(Node):
    """
    A fixed list of any values.
    constant, list, array

    Use cases:
    - Give the items of a loop
    - Give the values of a template by position
    """

    lane = Lane.INLINE

    value: list[Any] = Field(default=[], description="The items, in order.")

    def process(self) -> Annotated[list[Any], "The items, in order."]:
        return self.value


class TextList(Node):
    """
    A fixed list of texts.
    constant, list, text, string

    Use cases:
    - Give the prompts of a batch
    - Give the labels of a contact sheet
    """

    lane = Lane.INLINE

    value: list[str] | None = Field(default=None, description="The texts, in order.")

    def process(self) -> Annotated[list[str], "The texts, in order."]:
        return self.value or []


class Dict(Node):
    """
    A fixed set of named values.
    constant, dictionary, dict, mapping

    Use cases:
    - Give the values of a template by name
    - Keep the settings of a workflow in one place
    """

    lane = Lane.INLINE

    value: dict[str, Any] = Field(default={}, description="The values by name.")

    def process(self) -> Annotated[dict[str, Any], "The values by name."]:
        return self.value


class JSON(Node):
    """
    A fixed value of any JSON form.
    constant, json, data

    Use cases:
    - Give nested data to a template
    - Paste an answer of an API while a workflow is being built
    """

    lane = Lane.INLINE

    value: Any = Field(
        default=None,
        description="The value: an object, a list, a text, a number, true, false or null.",
    )

    def process(self) -> Annotated[Any, "The value."]:
        return self.value


class Image(Node):
    """
    A fixed image. It is opened here, so that a file that can't be read fails before any work is
    done.
    constant, image, image

    Use cases:
    - Use the same reference image in every run
    - Paste a watermark
    """

    value: ImageRef = Field(
        default=ImageRef(), description="The image: a path, a URI, or inline data."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image, upright."]:
        return context.image_from_pil(context.image(self.value))


class ImageList(Node):
    """
    A fixed list of images.
    constant, image, list, batch

    Use cases:
    - Run over the same images every time
    - Give the tiles of a contact sheet
    """

    value: list[ImageRef] | None = Field(default=None, description="The images, in order.")

    def process(
        self, context: Context
    ) -> Annotated[list[ImageRef], "The images, upright, in the order given."]:
        images: list[ImageRef] = []
        for ref in self.value or []:
            context.check_cancelled()
            images.append(context.image_from_pil(context.image(ref)))
        return images


class ImageModelConstant(Node):
    """
    A fixed model, by its Hub id or its path.
    constant, model, huggingface, weights

    Use cases:
    - Share one model among several nodes
    - Change the model of a workflow in one place
    """

    lane = Lane.INLINE

    value: ModelRef | None = Field(
        default=None,
        description="The model; the default of the node it goes to where none is given.",
    )

    def process(self) -> Annotated[ModelRef, "The model."]:
        return self.value or ModelRef()


class Select(Node):
    """
    One of several texts, fixed.
    constant, select, choice, enum, options

    Use cases:
    - Choose a style among known ones
    - Guard a setting against misspelling
    """

    synonyms = ("Dropdown", "Combo", "Enum")

    lane = Lane.INLINE

    value: str = Field(default="", description="The chosen option.")
    options: list[str] = Field(
        default=[], description="The texts to choose from; empty to allow any."
    )
    enum_type_name: str = Field(
        default="", description="Name of the choice in the tool that wrote the file; not used here."
    )

    def process(self) -> Annotated[str, "The chosen option."]:
        if self.options and self.value not in self.options:
            raise NodeError(
                f"{self.value!r} is not one of the options.",
                f"Choose one of {', '.join(map(repr, self.options))}.",
            )
        return self.value


class Date(Node):
    """
    A fixed day.
    constant, date, day, calendar

    Use cases:
    - Name files by a day
    - Put a date into a text
    """

    synonyms = ("Calendar Day",)

    lane = Lane.INLINE

    year: int = Field(default=1900, ge=1, le=9999, description="Year.")
    month: int = Field(default=1, ge=1, le=12, description="Month.")
    day: int = Field(default=1, ge=1, le=31, description="Day of the month.")

    def process(self) -> Annotated[dt.date, "The day."]:
        try:
            return dt.date(self.year, self.month, self.day)
        except ValueError as error:
            raise NodeError(
                f"There is no day {self.day} in month {self.month} of {self.year}.",
                "Choose a day of that month.",
            ) from error


class DateTime(Node):
    """
    A fixed moment.
    constant, datetime, date, time

    Use cases:
    - Name files by a moment
    - Put a date and time into a text
    """

    synonyms = ("Timestamp",)

    lane = Lane.INLINE

    year: int = Field(default=1900, ge=1, le=9999, description="Year.")
    month: int = Field(default=1, ge=1, le=12, description="Month.")
    day: int = Field(default=1, ge=1, le=31, description="Day of the month.")
    hour: int = Field(default=0, ge=0, le=23, description="Hour.")
    minute: int = Field(default=0, ge=0, le=59, description="Minute.")
    second: int = Field(default=0, ge=0, le=59, description="Second.")
    millisecond: int = Field(default=0, ge=0, le=999, description="Millisecond.")
    tzinfo: str = Field(default="UTC", description="Time zone, such as UTC or Europe/Berlin.")
    utc_offset: int = Field(
        default=0,
        ge=-720,
        le=840,
        description=(
            "Minutes ahead of UTC; where it is not 0, it counts instead of the zone's rules."
        ),
    )

    def process(self) -> Annotated[dt.datetime, "The moment, with its time zone."]:
        zone = _zone(self.tzinfo, self.utc_offset)
        try:
            return dt.datetime(
                self.year,
                self.month,
                self.day,
                self.hour,
                self.minute,
                self.second,
                self.millisecond * 1000,
                zone,
            )
        except ValueError as error:
            raise NodeError(
                f"There is no day {self.day} in month {self.month} of {self.year}.",
                "Choose a day of that month.",
            ) from error


class ImageSizeParts(NamedTuple):
    image_size: Annotated[ImageSizeRef, "The size."]
    width: Annotated[int, "Width, in pixels."]
    height: Annotated[int, "Height, in pixels."]


class ImageSize(Node):
    """
    A fixed width and height.
    constant, size, width, height

    Use cases:
    - Share one size among several nodes
    - Resize several images alike
    """

    synonyms = ("Resolution", "Dimensions", "Width and Height")

    lane = Lane.INLINE

    value: ImageSizeRef | None = Field(
        default=None, description="Width and height, in pixels; 512 each where none is given."
    )

    def process(self) -> ImageSizeParts:
        size = self.value or ImageSizeRef()
        return ImageSizeParts(size, size.width, size.height)


def _zone(name: str, utc_offset: int) -> dt.tzinfo:
    if utc_offset:
        return dt.timezone(dt.timedelta(minutes=utc_offset))
    if name.upper() in ("", "UTC"):
        return dt.UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise NodeError(
            f"There is no time zone {name!r}.", "Use UTC, or a name such as Europe/Berlin."
        ) from error
