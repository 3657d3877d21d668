"""Inputs of a workflow: named values that a run can set."""

from __future__ import annotations

import difflib
from typing import Annotated, TypeVar

from nodetool_core import (
    ColorRef,
    Context,
    Field,
    FolderRef,
    ImageRef,
    ImageSizeRef,
    Lane,
    ModelRef,
    Node,
    NodeError,
    Role,
)

Number = TypeVar("Number", int, float)

NAME = "Name of the input, by which a run sets its value."
DESCRIPTION = "What the input is for; shown to the person who runs the workflow."


class ImageInput(Node):
    """
    An image given to the workflow. It is opened at once, so that a file that can't be read fails
    before any work is done.
    input, parameter, image, image

    Use cases:
    - Choose the image that a workflow transforms
    - Put a workflow behind an image-to-image API
    """

    role = Role.INPUT

    name: str = Field(default="", description=NAME, label=True)
    value: ImageRef = Field(
        default=ImageRef(), description="The image: a path, a URI, or inline data."
    )
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self, context: Context) -> Annotated[ImageRef, "The image, upright."]:
        return context.image_from_pil(context.image(self.value))


class ImageListInput(Node):
    """
    Several images given to the workflow, opened at once.
    input, parameter, image, list, batch

    Use cases:
    - Run a workflow over chosen images
    - Give the tiles of a contact sheet
    """

    role = Role.INPUT

    name: str = Field(default="", description=NAME, label=True)
    value: list[ImageRef] = Field(default=[], description="The images, in order.")
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(
        self, context: Context
    ) -> Annotated[list[ImageRef], "The images, upright, in the order given."]:
        images: list[ImageRef] = []
        for ref in self.value:
            context.check_cancelled()
            images.append(context.image_from_pil(context.image(ref)))
        return images


class StringInput(Node):
    """
    A text given to the workflow.
    input, parameter, string, text, prompt

    Use cases:
    - Let a run choose the prompt
    - Set a label or a file name
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: str = Field(default="", description="The text.")
    description: str = Field(default="", description=DESCRIPTION, label=True)
    max_length: int = Field(
        default=0,
        ge=0,
        le=100000,
        description="The most characters the text may have; 0 for no limit.",
    )
    line_mode: str = Field(
        default="single_line", description="How a form asks for it: single_line or multiline."
    )

    def process(self) -> Annotated[str, "The text."]:
        if self.max_length and len(self.value) > self.max_length:
            raise NodeError(
                f"The input {self.name!r} has {len(self.value)} characters; at most"
                f" {self.max_length} are allowed.",
                "Shorten it.",
            )
        return self.value


class IntegerInput(Node):
    """
    A whole number given to the workflow.
    input, parameter, integer, number

    Use cases:
    - Let a run choose a number of steps
    - Set a width, a count or a seed
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: int = Field(default=0, description="The number.")
    description: str = Field(default="", description=DESCRIPTION, label=True)
    min: int = Field(default=0, description="The least value allowed.")
    max: int = Field(default=99999, description="The greatest value allowed.")

    def process(self) -> Annotated[int, "The number."]:
        return _within(self.name, self.value, self.min, self.max)


class FloatInput(Node):
    """
    A number given to the workflow.
    input, parameter, float, number

    Use cases:
    - Let a run choose a strength or a guidance scale
    - Set a factor
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: float = Field(default=0.0, description="The number.")
    description: str = Field(default="", description=DESCRIPTION, label=True)
    min: float = Field(default=0.0, description="The least value allowed.")
    max: float = Field(default=99999.0, description="The greatest value allowed.")

    def process(self) -> Annotated[float, "The number."]:
        return _within(self.name, self.value, self.min, self.max)


class BooleanInput(Node):
    """
    A yes or no given to the workflow.
    input, parameter, boolean, bool, switch

    Use cases:
    - Switch a branch on or off
    - Choose between two ways of working
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: bool = Field(default=False, description="Yes or no.")
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self) -> Annotated[bool, "The value."]:
        return self.value


class ColorInput(Node):
    """
    A colour given to the workflow.
    input, parameter, color, colour

    Use cases:
    - Let a run choose a background
    - Set the colour of a text
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: ColorRef = Field(default=ColorRef(), description="The colour, #rrggbb or #rrggbbaa.")
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self) -> Annotated[ColorRef, "The colour."]:
        return self.value


class SelectInput(Node):
    """
    One of several texts, given to the workflow.
    input, parameter, select, choice, enum, options

    Use cases:
    - Let a run choose a season, a style or a preset
    - Limit what may be asked of a workflow
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: str = Field(default="", description="The chosen option.")
    description: str = Field(default="", description=DESCRIPTION, label=True)
    options: list[str] = Field(
        default=[], description="The texts to choose from; empty to allow any."
    )
    enum_type_name: str = Field(
        default="", description="Name of the choice in the tool that wrote the file; not used here."
    )

    def process(self) -> Annotated[str, "The chosen option."]:
        if self.options and self.value not in self.options:
            near = difflib.get_close_matches(self.value, self.options, n=1)
            hint = (
                f"Did you mean {near[0]!r}?"
                if near
                else f"Choose one of {', '.join(map(repr, self.options))}."
            )
            raise NodeError(
                f"The input {self.name!r} is {self.value!r}, which is not one of its options.", hint
            )
        return self.value


class ImageSizeInput(Node):
    """
    A width and a height given to the workflow.
    input, parameter, size, width, height

    Use cases:
    - Let a run choose the size of an image
    - Share one size among several nodes
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: ImageSizeRef | None = Field(
        default=None, description="Width and height, in pixels; 512 each where none is given."
    )
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self) -> Annotated[ImageSizeRef, "The size."]:
        return self.value or ImageSizeRef()


class FolderPathInput(Node):
    """
    The path of a folder, given to the workflow.
    input, parameter, folder, directory, path

    Use cases:
    - Choose the folder whose images are loaded
    - Choose where results are saved
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: str = Field(default="", place="folder", description="The path.")
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self) -> Annotated[str, "The path."]:
        return self.value


class FilePathInput(Node):
    """
    The path of a file, given to the workflow.
    input, parameter, file, path

    Use cases:
    - Choose a file that a node reads by path
    - Name the file of a result
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: str = Field(default="", place="file", description="The path.")
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self) -> Annotated[str, "The path."]:
        return self.value


class AssetFolderInput(Node):
    """
    A folder given to the workflow as a reference.
    input, parameter, folder, asset

    Use cases:
    - Choose where assets are read from
    - Choose where assets are kept
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: FolderRef = Field(default=FolderRef(), description="The folder.")
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self) -> Annotated[FolderRef, "The folder."]:
        return self.value


class StringListInput(Node):
    """
    Several texts given to the workflow.
    input, parameter, string, text, list

    Use cases:
    - Run over several prompts
    - Give the labels of a contact sheet
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: list[str] = Field(default=[], description="The texts, in order.")
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self) -> Annotated[list[str], "The texts, in the order given."]:
        return self.value


class HuggingFaceModelInput(Node):
    """
    A model given to the workflow, by its Hub id or its path.
    input, parameter, model, huggingface, weights

    Use cases:
    - Let a run choose the model
    - Share one model among several nodes
    """

    role = Role.INPUT
    lane = Lane.INLINE

    name: str = Field(default="", description=NAME, label=True)
    value: ModelRef = Field(default=ModelRef(), description="The model.")
    description: str = Field(default="", description=DESCRIPTION, label=True)

    def process(self) -> Annotated[ModelRef, "The model."]:
        return self.value


def _within(name: str, value: Number, low: Number, high: Number) -> Number:
    if low > high:
        raise NodeError(f"The input {name!r} has min {low} above max {high}.", "Exchange them.")
    if not low <= value <= high:
        side = f"below its min {low}" if value < low else f"above its max {high}"
        raise NodeError(
            f"The input {name!r} is {value}, {side}.",
            f"Give a number from {low} to {high}, or change the node's bounds.",
        )
    return value
