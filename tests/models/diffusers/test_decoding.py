"""Where pipelines of the installed diffusers swallow that memory ran out, we hear of it still."""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import pytest
import torch

from nodetool_core.models.diffusers.decoding import guard_decoding

if TYPE_CHECKING:
    from collections.abc import Iterator


def swallowing(tree: ast.Module) -> Iterator[ast.Try]:
    """Yield the `try` blocks with a handler for want of memory that does not raise."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                names = "" if handler.type is None else ast.unparse(handler.type)
                is_raised = any(isinstance(one, ast.Raise) for one in ast.walk(handler))
                if ("OutOfMemory" in names or "MemoryError" in names) and not is_raised:
                    yield node


def test_no_pipeline_swallows_it_but_around_decode() -> None:
    root = Path(diffusers.__path__[0])
    found = {
        str(path.relative_to(root)): [ast.unparse(line) for line in block.body]
        for path in root.rglob("*.py")
        if "OutOfMemory" in (source := path.read_text("utf-8")) or "MemoryError" in source
        for block in swallowing(ast.parse(source))
    }
    assert found, "none is left: nodetool_core/models/diffusers/decoding.py can go"
    others = {
        path: body
        for path, body in found.items()
        if len(body) != 1 or " = self.vae.decode(" not in body[0]
    }
    assert others == {}


class Autoencoder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.decoder = torch.nn.Linear(1, 1)

    def decode(self, latents: torch.Tensor, error: Exception | None = None) -> torch.Tensor:
        if error is not None:
            raise error
        decoded: torch.Tensor = self.decoder(latents)
        return decoded


def test_want_of_memory_is_raised_as_what_pipelines_do_not_catch() -> None:
    module: Any = Autoencoder()
    guard_decoding(module, "vae")
    latents = torch.ones(1)
    assert module.decode(latents).shape == (1,)
    with pytest.raises(MemoryError, match="2 GiB"):
        module.decode(latents, error=torch.OutOfMemoryError("Tried to allocate 2 GiB"))
    with pytest.raises(LookupError):
        module.decode(latents, error=LookupError())


def test_a_copy_decodes_with_its_own_weights() -> None:
    module: Any = Autoencoder()
    guard_decoding(module, "vae")
    copied = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.fill_(3)
    assert copied.decode(torch.ones(1)).item() == 6
    assert module.decode(torch.ones(1)).item() != 6


def test_parts_that_do_not_decode_stay_as_they_are() -> None:
    module = Autoencoder()
    guard_decoding(module, "text_encoder")
    assert "decode" not in vars(module)
    plain = torch.nn.Linear(1, 1)
    guard_decoding(plain, "vae")
    assert "decode" not in vars(plain)
