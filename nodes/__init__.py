"""The built-in node pack. Its folders are the namespaces of its node types."""

from nodetool_core.registry import Pack

pack = Pack(
    package="nodes",
    prefix="",
    weights={"nodetool/tiny-landscapes": "huggingface/weights/tiny-landscapes"},
    distribution="nodetool",
)
