"""The table of settings, as the page on serving and `nodetool serve --show-settings` show it."""

from __future__ import annotations

from nodetool_core.server.settings import Settings
from nodetool_core.server.settings_sources import ENVIRONMENT_PREFIX


def settings_table() -> str:
    """Return the settings as a Markdown table: name, environment variable, default, meaning."""
    lines = ["| name | environment | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = (
            ", ".join(default)
            if isinstance(default, tuple)
            else str("" if default is None or default == {} else default)
        )
        shown = f"`{shown}`" if shown else ""
        lines.append(
            f"| `{name}` | `{ENVIRONMENT_PREFIX}{name.upper()}` | {shown} | {field.description} |"
        )
    return "\n".join(lines) + "\n"
