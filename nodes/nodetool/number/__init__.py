"""Numbers: worked out, rounded, kept within bounds, drawn, read from texts and written as such."""

from nodes.nodetool.number._calculate import Calculate, Expression
from nodes.nodetool.number._ranges import Clamp, MapRange, RandomNumber, Round
from nodes.nodetool.number._texts import NumberToText, TextToNumber

__all__ = [
    "Calculate",
    "Clamp",
    "Expression",
    "MapRange",
    "NumberToText",
    "RandomNumber",
    "Round",
    "TextToNumber",
]
