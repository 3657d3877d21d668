"""
The same pipeline behind LitServe; what bench/serving.py measures the server against.

    python bench/serving_litserve.py PORT WORKERS

Each worker is a process with weights of its own.
"""

from __future__ import annotations

import sys
from typing import Any

import litserve
from fastapi import Response
from serving_rivals import Painter, answer


class Api(litserve.LitAPI):  # type: ignore[misc]
    """At the top of the file, because LitServe sends it to a process of its own."""

    def setup(self, device: str) -> None:
        self.painter = Painter()

    def predict(self, request: dict[str, Any]) -> bytes:
        return answer(self.painter, request)

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(api_path="/paint"), accelerator="cpu", workers_per_device=int(sys.argv[2]), timeout=600
    )
    server.run(
        port=int(sys.argv[1]), log_level="warning", generate_client_file=False, num_api_servers=1
    )
