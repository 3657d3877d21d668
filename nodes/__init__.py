"""The built-in node pack. Its folders are the namespaces of its node types."""

from nodes.aliases import ALIASES
from nodetool_core import ImageRef, Pack

pack = Pack(
    package="nodes",
    prefix="",
    weights={
        "nodetool/tiny-landscapes": "huggingface/weights/tiny-landscapes",
        "nodetool/tiny-upscaler": "huggingface/weights/tiny-upscaler",
    },
    found_weights="nodes.huggingface.realesrgan:weights",
    aliases=ALIASES,
    examples="graphs",
    makers={
        list: "nodetool.list.MakeList",
        tuple: "nodetool.list.MakeTuple",
        dict: "nodetool.dictionary.MakeDictionary",
    },
    serves={
        "image-to-image": "huggingface.image_to_image.ImageToImage",
        "text-to-image": "huggingface.text_to_image.TextToImage",
    },
    inputs={
        ImageRef: "nodetool.input.ImageInput",
        str: "nodetool.input.StringInput",
    },
    output="nodetool.output.Output",
    workflow="nodetool.workflows.workflow_node.WorkflowNode",
    loop="nodetool.control.ForEach",
    importers={
        "ComfyUI": "nodes.importers.comfyui.importer:import_file",
        "InvokeAI": "nodes.importers.invokeai.importer:import_file",
        "NodeTool": "nodes.importers.nodetool.importer:import_file",
        "images": "nodes.importers.metadata.importer:import_file",
    },
    exporters={"comfyui": "nodes.importers.comfyui.exporting:export"},
    graph_readers={"comfyui": "nodes.importers.comfyui.served:reader"},
    indexed=True,
    pages={"models.md": "nodes.huggingface.models_page:page"},
)
