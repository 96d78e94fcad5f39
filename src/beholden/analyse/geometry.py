"""Boxes in pictures: how they overlap and how far they are apart. All 0..1 of the picture."""

from __future__ import annotations

from beholden.model.event import Box


def area(box: Box) -> float:
    """0..1 of the picture."""
    return max(0.0, box.right - box.left) * max(0.0, box.bottom - box.top)


def overlap(first: Box, second: Box) -> float:
    """Intersection over union, 0..1."""
    shared = _shared(first, second)
    total = area(first) + area(second) - shared
    return shared / total if total > 0 else 0.0


def covered(box: Box, by: Box) -> float:
    """How much of ``box`` lies within ``by``, 0..1."""
    own = area(box)
    return _shared(box, by) / own if own > 0 else 0.0


def strides_apart(first: Box, second: Box) -> float:
    """The distance of the centres, in sizes of ``first`` (the larger of both axes)."""
    width = max(first.right - first.left, 1e-6)
    height = max(first.bottom - first.top, 1e-6)
    across = abs(first.left + first.right - second.left - second.right) / 2 / width
    down = abs(first.top + first.bottom - second.top - second.bottom) / 2 / height
    return max(across, down)


def blend(old: Box, new: Box, share: float) -> Box:
    """``old`` moved towards ``new`` by a share 0..1."""
    keep = 1 - share
    return Box(
        old.left * keep + new.left * share,
        old.top * keep + new.top * share,
        old.right * keep + new.right * share,
        old.bottom * keep + new.bottom * share,
    )


def touches_edge(box: Box, margin: float = 0.005) -> bool:
    """Whether the box is cut by the picture's edge."""
    return box.left < margin or box.top < margin or box.right > 1 - margin or box.bottom > 1 - margin


def _shared(first: Box, second: Box) -> float:
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    return width * height if width > 0 and height > 0 else 0.0
