"""Points and boxes as the API takes and gives them: parts of the picture, 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from beholden.model.event import Box
from beholden.model.place import Point

Number = Annotated[float, Field(allow_inf_nan=False, ge=-100_000, le=100_000)]
Pair = tuple[Number, Number]
Points = Annotated[list[Pair], Field(max_length=200)]


class BoxBody(BaseModel):
    """A rectangle drawn by a person."""

    model_config = ConfigDict(extra="forbid")

    left: Number
    top: Number
    right: Number
    bottom: Number

    def box(self) -> Box:
        """As the model has it."""
        return Box(self.left, self.top, self.right, self.bottom)


def show_box(box: Box) -> dict[str, float]:
    """``{"left", "top", "right", "bottom"}``."""
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}


def show_points(points: Sequence[Point]) -> list[list[float]]:
    """``[[x, y], …]``."""
    return [[x, y] for x, y in points]
