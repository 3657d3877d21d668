"""How the images of a request are made: a run for each, and where it asks for it a second."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.events import Event, NodePreview, NodeProgress
from nodetool_core.engine.result import RunError
from nodetool_core.server.a1111.body import TextBody
from nodetool_core.server.a1111.call import call_of
from nodetool_core.server.a1111.extras import Upscalers
from nodetool_core.server.a1111.prompts import PromptReader
from nodetool_core.server.a1111.second_pass import SecondPass, image_of, second_pass
from nodetool_core.server.http.http_errors import HttpError

if TYPE_CHECKING:
    from nodetool_core.engine.result import RunResult
    from nodetool_core.server.a1111.call import Call, ParsedRequest
    from nodetool_core.server.a1111.checkpoints import Checkpoints
    from nodetool_core.server.a1111.generations import Generation
    from nodetool_core.server.a1111.masking import Kept
    from nodetool_core.server.http.images import EncodedImage
    from nodetool_core.server.runtime.app_state import AppState
    from nodetool_core.server.runtime.runs import Turn
    from nodetool_core.server.served_workflow import ServedWorkflow

_EVENTS: Final = (NodePreview, NodeProgress)
_NO_SYNTAX: Final = "prompt_syntax_unsupported"
"""What a run fails with whose model reads no weights in prompts."""

Size = tuple[int, int]


@dataclass(frozen=True)
class MadeImage:
    """An image that was made."""

    number: int
    """Its place among those of the request, from 0."""
    image: ImageData
    result: RunResult
    """That of the last run for it."""
    first_size: Size | None = None
    """The size before it was enlarged; None where it was not."""


class Maker:
    """Reads requests. Its methods block: they look into folders, and fetch images."""

    def __init__(self, state: AppState, checkpoints: Checkpoints) -> None:
        self._state = state
        self._checkpoints = checkpoints
        self._upscalers = Upscalers(state)
        self._reader = PromptReader(state.models)

    def making(
        self, served: ServedWorkflow, parsed: ParsedRequest, images: list[EncodedImage]
    ) -> Making:
        """
        Return how a request is made by a workflow.

        Raises WorkflowError, ImageError and HttpError for values that do not fit.
        """
        state = self._state

        def call(served: ServedWorkflow, parsed: ParsedRequest) -> Call:
            given = images if parsed is asked else []
            return call_of(served, parsed, given, self._reader, state.sanitizer, state.limits)

        asked = parsed
        made = Making(call(served, parsed))
        if isinstance(parsed.body, TextBody) and parsed.body.enable_hr:
            try:
                title = served.model or served.name
                other = self._checkpoints.served(title, "img2img")
            except HttpError:
                made.notes.append(f"enable_hr is not used by {served.name}: it takes no image")
            else:
                most = state.limits.max_pixels
                made.second = second_pass(
                    made.call, other, self._upscalers, lambda parsed: call(other, parsed), most
                )
                made.notes += made.second.notes
        made.notes[:0] = made.call.notes
        return made


@dataclass
class Making:
    """A request as it is made."""

    call: Call
    second: SecondPass | None = None
    notes: list[str] = field(default_factory=list)
    """What is not done as requested."""
    kept: Kept | None = None
    """What stays of the image that is started from."""
    _values: Mapping[str, object] = field(default_factory=dict)

    @property
    def decoded_bytes(self) -> int:
        """Bytes of pixels once it is decoded."""
        return self.call.decoded_bytes

    def decode(self) -> None:
        """Read the images. Raises ImageError. Blocks."""
        self._values, self.kept = self.call.decode()

    async def image(
        self, turn: Turn, number: int, generation: Generation, previews: Callable[[], bool]
    ) -> MadeImage:
        """Return image `number` of the request, made in its turn."""

        async def run(served: ServedWorkflow, values: Mapping[str, object]) -> RunResult:
            running = turn.of(served).stream(
                self.call.variation.counted(served, values, number),
                _EVENTS,
                outputs=[served.image_outputs[0]],
                previews=previews(),
            )
            return await _result(running, generation)

        served, second = self.call.served, self.second
        try:
            result = await run(served, self._values)
        except RunError as error:
            if not self._reads_texts(error):
                raise
            self._values, self.kept = self.call.decode()
            result = await run(served, self._values)
        image = image_of(result, served)
        if second is None:
            return MadeImage(number, image, result)
        return await self._enlarged(second, MadeImage(number, image, result), run, turn)

    async def _enlarged(
        self,
        second: SecondPass,
        first: MadeImage,
        run: Callable[[ServedWorkflow, Mapping[str, object]], Awaitable[RunResult]],
        turn: Turn,
    ) -> MadeImage:
        """Return an image enlarged, and made again from that."""
        image, before = first.image, first.image.image.size
        size, result = second.size(before), first.result
        if second.upscaler is not None:
            assert second.upscaler.image_input is not None
            given = second.upscaler.inputs[second.upscaler.image_input].given
            image = image_of(await run(second.upscaler, {given: image}), second.upscaler)
        large = await turn.threads.work(second.enlarged, image.image, size)
        image = ImageData.of(large, first.image.provenance)
        if second.strength:
            result = await run(second.call.served, second.values(large))
            image = image_of(result, second.call.served)
            if image.image.size != size:
                found = "{}x{}".format(*image.image.size)
                self.notes.append(f"the second pass gives {found}, and not {size[0]}x{size[1]}")
        return MadeImage(first.number, image, result, before)

    def _reads_texts(self, error: RunError) -> bool:
        """Read prompts as they stand, if a run has failed because its model does no more."""
        if not self.call.syntax or all(one.code != _NO_SYNTAX for one in error.problems):
            return False
        before = self.call.notes
        self.call = self.call.as_texts()
        self.notes += [note for note in self.call.notes if note not in before]
        if self.second is not None:
            self.second = replace(self.second, call=self.second.call.as_texts())
        return True


async def _result(running: AsyncGenerator[Event | RunResult], generation: Generation) -> RunResult:
    """Return the result of a run, and take note of its events meanwhile."""
    async with aclosing(running) as events:
        async for event in events:
            if not isinstance(event, Event):
                return event
            generation.note(event)
    raise RuntimeError("A run has ended without a result.")
