"""The built-in node pack. Its folders are the namespaces of its node types."""

from nodes.aliases import ALIASES
from nodetool_core.registry import Pack

pack = Pack(
    package="nodes",
    prefix="",
    weights={
        "nodetool/tiny-landscapes": "huggingface/weights/tiny-landscapes",
        "nodetool/tiny-upscaler": "huggingface/weights/tiny-upscaler",
    },
    aliases=ALIASES,
    examples="graphs",
    makers={
        list: "nodetool.list.MakeList",
        tuple: "nodetool.list.MakeTuple",
        dict: "nodetool.dictionary.MakeDictionary",
    },
    pages={"models.md": "nodes.huggingface.models_page:page"},
)
