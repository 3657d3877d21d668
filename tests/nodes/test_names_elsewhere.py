"""Nodes are found by the names that Photoshop, GIMP, ComfyUI and chaiNNer have for them."""

from functools import cache
from typing import get_args

import pytest

from nodes._blending import BlendMode
from nodetool_core.cli.node_index import NodeSummary, matching, node_summaries

NAMES = """
    Gaussian Blur: Blur                 Median: RankFilter
    Despeckle: RankFilter               Noise Reduction: RankFilter
    Smart Sharpen: UnsharpMask          Hue/Saturation: HSLAdjust
    Vibrance: SaturationVibrance        Photo Filter: WhiteBalance
    Channel Mixer: ChannelMixer         Selective Color: HSLAdjust
    Black & White: ConvertToGrayscale   Desaturate: ConvertToGrayscale
    Gradient Map: GradientMap           Shadows/Highlights: Exposure
    Color Balance: ColorBalance         Auto Tone: AutoContrast
    Brightness/Contrast: Contrast       Magic Wand: FloodSelect
    Quick Selection: SelectObject       Select Subject: RemoveBackground
    Color Range: ChromaKey              Select and Mask: RefineMatte
    Expand Selection: Grow              Layer Mask: ApplyMask
    Clipping Mask: ApplyMask            Free Transform: Transform
    Image Size: Resize                  Canvas Size: Pad
    Straighten: Rotate                  Flip Horizontal: Flip
    Merge Layers: Paste                 Blend Mode: Blend
    Drop Shadow: RenderText             Type Tool: RenderText
    Contact Sheet: CombineImageGrid     Save for Web: SaveImageFile
    Export As: SaveImageFile            JPEG Quality: SaveImageFile
    Content-Aware Fill: Inpainting      Generative Expand: PadForOutpainting
    Color to Alpha: ChromaKey           Alpha to Selection: FromAlpha
    Value Invert: Invert                Sobel: FindEdges
    LoadImage: LoadImageFile            PreviewImage: Preview
    SaveImage: SaveImageFile            LoadImageMask: FromAlpha
    ImageScale: Resize                  ImageScaleBy: Scale
    ImageUpscaleWithModel: Upscale      UpscaleModelLoader: LoadUpscaler
    ImagePadForOutpaint: PadForOutpainting
    MaskComposite: CombineMasks         GrowMask: Grow
    ThresholdMask: Threshold            SolidMask: MakeMask
    ImageToMask: FromAlpha              ImageColorToMask: ChromaKey
    ImageBlend: Blend                   ImageQuantize: Quantize
    ImageSharpen: UnsharpMask           ImageBlur: Blur
    ImageInvert: Invert                 ImageBatch: ImagesToList
    KSampler: TextToImage               CheckpointLoaderSimple: LoadTextToImageModel
    CLIPTextEncode: TextToImage         LoraLoader: LoadLora
    ControlNetLoader: LoadControlNet    img2img: ImageToImage
    rembg: RemoveBackground             SAM: SelectObject
    GroundingDino: FindObjects          Depth Anything: EstimateDepth
    Line Art: Canny                     DWPose: EstimatePose
    Wildcard: Wildcards                 Show Text: Preview
    Math Expression: Expression         If Else: If
    Primitive: Integer                  Note: Comment
    Get Image Size: GetMetadata         Load Model: LoadUpscaler
    Split Channels: GetChannel          Separate RGB: GetChannel
    Merge Channels: MergeChannels       Combine RGBA: MergeChannels
    Color Transfer: TransferColor       Average Color Fix: MatchColor
    Create Border: Pad                  Create Color: Background
    Create Noise: GaussianNoise         Create Gradient: Gradient
    Image Metrics: Similarity           PSNR: Similarity
    Text Append: Concat                 Split Text: Split
    Parse Number: TextToNumber          Iterate Images: ForEach
    Load Images: LoadImageFolder        Outpaint: PadForOutpainting
    Barcode: QRCode                     GIF: SaveAnimation
    DPI: SaveImageFile                  Collage: CombineImageGrid
    Film Grain: FilmGrain               Sepia: ChannelMixer
    LUT: ApplyLut                       Teal and Orange: FilmLook
    Kelvin: WhiteBalance                Palette: DominantColors
    Loop: ForEach                       Seamless: Offset
    Lanczos: Resize                     Nearest Neighbor: Resize
    Divisible By: Resize                Megapixels: Resize
    Transpose: Flip                     Straighten: Rotate
    Corner Pin: Perspective             Affine Transform: Transform
    Letterbox: Pad                      Inpaint Stitch: PasteBack
    Crop to Mask: CropToMask            Tile Split: SplitTiles
    Image Grid: CombineImageGrid        Blending Modes: Blend
    Soft Light: Blend                   Opacity: Paste
    Histogram Matching: MatchColor      MKL: MatchColor
    Tetrahedral: ApplyLut               Curves: Curves
    Levels: Levels                      Hue: HSLAdjust
    Adaptive Threshold: AdaptiveThreshold
    Posterize: Posterize                Dither: Quantize
    Mosaic: Pixelate                    Despill: ChromaKey
    Luminosity Mask: ToneRange          Fill Holes: RefineMask
    Morphology: RefineMask              Polygon Mask: MakeMask
    Mask Overlay: ShowMask              Clipseg: MaskFromText
    BiRefNet: RemoveBackground          RMBG: RemoveBackground
    Segment Anything: SelectObject      Normals: EstimateNormals
    Arrow: DrawShape                    Checkerboard: Checkerboard
    Emoji: RenderText                   Wrap Text: RenderText
    Right to Left: RenderText           Logo: Watermark
    Arithmetic: Calculate               Clamp: Clamp
    Remap: MapRange                     Linspace: Range
    Random Choice: Choose               Regex Replace: RegexReplace
    JSON Path: ExtractJSON              Deduplicate: Unique
    Merge Dictionaries: MergeDictionaries
    Load Image From URL: LoadImageURL   Filename Prefix: SaveImageFile
    Sidecar: SaveImageFile              Animated WEBP: SaveAnimation
    PDF: SavePDF                        SSIM: Similarity
    LPIPS: Similarity                   Heatmap: Difference
    Vivid Light: Blend                  Color Burn: Paste
    Exclusion: Blend                    Luminosity: Blend
    Modulo: Calculate                   Floyd Steinberg: Quantize
    Center Crop: Crop                   Autocrop: CropToMask
    Lasso: MakeMask                     Luma Key: ToneRange
    Word Wrap: RenderText               Line Height: RenderText
    Greyscale: ConvertToGrayscale       Grayscale: ConvertToGrayscale
    Colour Match: MatchColor            Bicubic: Rotate
    GetImageSize: GetMetadata           StringConcatenate: Concat
    StringReplace: Replace              StringContains: Contains
    CropMask: CropToMask                ImageStitch: CombineImageGrid
    ResizeAndPadImage: Resize           CaseConverter: ChangeCase
    ImageAddNoise: FilmGrain            PorterDuffImageComposite: Composite
    Blurry: MeasureImage                Dominant Colors: DominantColors
    Histogram: Histogram                Stop If: Assert
"""
"""What is looked for, and the class of the node that it names."""
CASES = [
    (name.strip(), node.strip())
    for line in NAMES.splitlines()
    for pair in line.split("   ")
    if ":" in pair
    for name, node in [pair.split(":")]
]


@cache
def nodes() -> list[NodeSummary]:
    return node_summaries()[0]


@pytest.mark.parametrize("mode", get_args(BlendMode))
def test_a_blend_mode_is_found_by_its_name(mode: str) -> None:
    found = [summary.title for summary in matching(nodes(), mode.split("_"))]
    assert "Blend" in found and "Paste" in found


@pytest.mark.parametrize(("name", "node"), CASES)
def test_a_node_is_found_by_its_name_elsewhere(name: str, node: str) -> None:
    found = [summary.title for summary in matching(nodes(), name.split())]
    assert node in found[:5]
