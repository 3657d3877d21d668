"""
What shows that a message is from this server, and that a client may read a stream.

Made of the client's own token, so that each server with the same tokens says the same, and nothing
is stored. Where no token is needed, the key lasts as long as the process.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from nodetool_core.server.security.middleware import client_of_token

if TYPE_CHECKING:
    from nodetool_core.jobs.job import Job


class Signatures:
    """
    The keys of the clients of one server.

    Args:
        tokens: Those that clients send.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = {client_of_token(token): token.encode() for token in tokens}
        self._own = secrets.token_bytes(32)

    def secret(self, client: str) -> str:
        """Return what a client checks webhooks by, as their API gives it."""
        return f"whsec_{base64.b64encode(self._key(client, 'webhooks')).decode()}"

    def of_stream(self, job: Job) -> str:
        """Return what the address of a job's stream ends with."""
        key = self._key(job.client, "streams")
        return hmac.new(key, job.id.encode(), sha256).hexdigest()[:32]

    def fits(self, job: Job, signature: str) -> bool:
        """Return whether an address of a job's stream is one that was given."""
        return hmac.compare_digest(self.of_stream(job).encode(), signature.encode())

    def headers(self, client: str, name: str, body: bytes) -> dict[str, str]:
        """Return the headers of a webhook, which its receiver checks it by."""
        at = str(int(time.time()))
        key = self._key(client, "webhooks")
        digest = hmac.new(key, f"{name}.{at}.".encode() + body, sha256).digest()
        return {
            "webhook-id": name,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }

    def _key(self, client: str, use: str) -> bytes:
        token = self._tokens.get(client, self._own)
        return hmac.new(token, f"nodetool replicate {use}".encode(), sha256).digest()
