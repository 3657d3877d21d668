"""One image from a hosted model, by `huggingface_hub.InferenceClient` under a `Guard`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nodes.huggingface._inference_guard import Guard
from nodes.services.addresses import is_open_to_readers, origin
from nodes.services.answers import unexpected
from nodes.services.waiting import BusyError, Waiting, on_thread
from nodetool_core import Context, NodeError, RunCancelled
from nodetool_core.errors import NodetoolError

if TYPE_CHECKING:
    from huggingface_hub import InferenceClient
    from PIL import Image

HF_TOKEN: Final = "HF_TOKEN"
PROVIDER_KEYS: Final = {
    "fal-ai": "FAL_KEY",
    "replicate": "REPLICATE_API_TOKEN",
    "together": "TOGETHER_API_KEY",
    "wavespeed": "WAVESPEED_API_KEY",
}
"""
Provider to the secret with its own key.

Where it is not set, the call goes through Hugging Face, paid by the Hugging Face token.
"""

_MODEL_ID: Final = re.compile(r"[\w.-]+/[\w.-]+")
_NO_KEY: Final = "anonymous"
"""
Passed to the client where there is no key, because it looks for another where it is empty.

The guard sends none.
"""


@dataclass(frozen=True)
class Target:
    """The service to call, and the key for it."""

    service: str
    provider: str
    model: str
    endpoint: str
    secret: str
    key: str

    def client(self, waiting: Waiting, headers: Mapping[str, str], bill_to: str) -> InferenceClient:
        """Return a client for one attempt."""
        from huggingface_hub import InferenceClient

        address: dict[str, Any] = (
            {"base_url": self.endpoint}
            if self.endpoint
            else {"provider": self.provider, "model": self.model}
        )
        return InferenceClient(
            **address,
            api_key=self.key or _NO_KEY,
            timeout=max(waiting.remaining, 0.001),
            headers=dict(headers),
            bill_to=bill_to or None,
        )


def target(context: Context, provider: str, model: str, endpoint: str) -> Target:
    """
    Return the service that a node's properties name.

    A key goes only where its name says: a provider's own key to that provider, the Hugging Face
    token to Hugging Face, and the key that was set for a host to that host. So a workflow from
    elsewhere can't send a key to another service.

    Raises NodeError where the address or the model is wrong, SecretError where a key is missing.
    """
    if endpoint:
        _, host, _ = origin(endpoint)
        name = secret_of_host(host)
        secret = context.secret(name).reveal() if context.has_secret(name) else ""
        if secret and is_open_to_readers(endpoint):
            context.warn(f"{name} is sent over plain http, which others on the network can read.")
        return Target(host, "", "", endpoint, name, secret)
    if not _MODEL_ID.fullmatch(model):
        message = f"{model!r} is no model of the Hub."
        raise NodeError(
            message,
            "Give an id such as owner/name, or an address as `endpoint`.",
            code="invalid_model",
            where="model",
        )
    own = PROVIDER_KEYS.get(provider)
    found = context.secret(own, HF_TOKEN) if own else context.secret(HF_TOKEN)
    if found.name == HF_TOKEN and not found.reveal().startswith("hf_"):
        message = "is no Hugging Face token: those start with hf_."
        raise NodeError(
            message,
            "Make one at huggingface.co/settings/tokens.",
            code="unusable_secret",
            where=HF_TOKEN,
        )
    return Target(provider, provider, model, "", found.name, found.reveal())


def secret_of_host(host: str) -> str:
    """
    Return the name of the key for an endpoint: `INFERENCE_TOKEN_MY__SERVER_LAN` for my-server.lan.

    Different hosts have different names.
    """
    return "INFERENCE_TOKEN_" + re.sub(
        r"[^A-Z0-9]",
        lambda sign: {".": "_", "-": "__"}.get(sign[0], f"_X{ord(sign[0]):X}_"),
        host.upper(),
    )


async def hosted_image(
    waiting: Waiting, asked: Target, ask: Callable[[InferenceClient], object], **options: Any
) -> Image.Image:
    """
    Return the image that `ask` gets from a client: decoded, under the limits, within the deadline.

    Args:
        ask: Calls one method of the client. Called once per attempt, on a thread of its own.
        options: `headers` and `bill_to` of the client.

    Raises NodeError, ImageError.
    """
    reported: list[str] = []

    async def attempt() -> Image.Image:
        guard = Guard(waiting, key=asked.key, secret=asked.secret, endpoint=asked.endpoint)

        def work() -> Image.Image:
            return guard.run(lambda: _image(guard, lambda: ask(asked.client(waiting, **options))))

        try:
            image = await on_thread(work, "nodetool-hosted")
        finally:
            guard.stop()
        reported.extend(guard.warnings)
        return image

    image = await waiting.call(attempt)
    for warning in reported:
        waiting.context.warn(f"{asked.service}: {warning}")
    return image


def _image(guard: Guard, ask: Callable[[], object]) -> Image.Image:
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    service = guard.waiting.service
    try:
        ask()
    except (NodetoolError, BusyError):
        raise
    except RunCancelled:
        # The guard ends a call at the deadline like one that nobody waits for; the deadline itself
        # is reported by `Waiting`.
        raise TimeoutError from None
    except OfflineModeIsEnabled:
        message = f"{service} can't be asked: Hugging Face is set to offline mode."
        raise NodeError(message, "Unset HF_HUB_OFFLINE.", code="service_unreachable") from None
    except Exception as error:
        # What the client raises for an answer that it does not understand is of every kind.
        if not guard.waiting.remaining:
            raise TimeoutError from None
        if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)) and not guard.begun:
            raise BusyError(f"can't be reached ({error})") from error
        raise _misunderstood(guard, error) from error
    if guard.image is None:
        raise unexpected(service, "no image")
    return guard.image


def _misunderstood(guard: Guard, error: Exception) -> NodeError:
    """Return the error that an exception of the client means."""
    import httpx2

    service = guard.waiting.service
    if isinstance(error, httpx2.TransportError):
        message = f"The connection to {service} broke off: {type(error).__name__} ({error})."
        hint = (
            "Try again. The service may have done the work all the same, so nothing was sent twice."
        )
        return NodeError(message, hint, code="service_unreachable")
    if isinstance(error, TimeoutError):
        message = (
            f"{service} took the work on and did not finish it within the time that it keeps a"
            " request open."
        )
        return NodeError(
            message, "The model may be starting: try again in a minute.", code="service_timeout"
        )
    if isinstance(error, ValueError) and not guard.begun:
        # The client's own refusal, such as a model that the provider does not have.
        return NodeError(
            str(error), "Choose another provider or model.", code="model_not_served", where="model"
        )
    return unexpected(service, "JSON in which no image is found")
