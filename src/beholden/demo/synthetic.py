"""Drawn clips whose frame number a test can read back: a binary bar across the top of every picture.

The bar is 18 square blocks, each 1/24 of the picture's width: 16 bits (least significant first), one white,
one black. It survives scaling and coarse coding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from beholden.demo import encode
from beholden.demo.encode import AudioKind, Encoding, Picture
from beholden.model.media import VideoCodec

BITS = 16
_BLOCKS_ACROSS = 24
_WHITE, _BLACK = 235, 16


def synthetic_clip(
    folder: Path,
    width: int = 320,
    height: int = 180,
    fps: int = 10,
    seconds: float = 2.0,
    codec: VideoCodec = "h264",
    gop: int = 0,
    audio: AudioKind = "none",
    bitrate: int = 0,
    noise: float = 0.0,
    b_pictures: int = 0,
) -> Path:
    """A clip with a moving figure and the frame number burnt in; made once per folder and choice.

    ``gop`` in pictures (0: one second), ``b_pictures`` as in ``Encoding``, ``noise`` the standard
    deviation of sensor noise, which makes the encoder use its bitrate.
    """
    encoding = Encoding(width, height, fps, codec, gop, bitrate, audio, "ultrafast", b_pictures)
    stem = f"synthetic-{codec}-{width}x{height}-{fps}fps-{seconds:g}s-g{encoding.gop_pictures}"
    stem += f"-b{b_pictures}" if b_pictures else ""
    path = folder / f"{stem}-{audio}-{bitrate // 1000}k-n{noise:g}{encode.suffix(audio, codec)}"
    if not path.exists():
        count = round(seconds * fps)
        encode.write_clip(path, draw(width, height, count, noise), encoding, tone(audio, seconds))
    return path


def draw(width: int, height: int, count: int, noise: float = 0.0) -> Iterator[Picture]:
    """The pictures: a still background, a figure crossing it once, the bar."""
    random = np.random.default_rng(1)
    background = _background(width, height, random)
    grains = [random.normal(0, noise, (height, width, 1)).astype(np.int16) for _ in range(8)] if noise else []
    for number in range(count):
        picture = background.copy()
        if grains:
            picture = (picture.astype(np.int16) + grains[number % len(grains)]).clip(0, 255).astype(np.uint8)
        _draw_figure(picture, number / max(1, count))
        draw_frame_number(picture, number)
        yield picture


def draw_frame_number(picture: Picture, number: int) -> None:
    """Burn ``number`` (0..65535) into the picture's upper left."""
    side = picture.shape[1] / _BLOCKS_ACROSS
    bits = [(number >> bit) & 1 for bit in range(BITS)] + [1, 0]
    top, bottom = round(side / 4), round(side * 1.25)
    for index, bit in enumerate(bits):
        left, right = round((index + 0.25) * side), round((index + 1.25) * side)
        picture[top:bottom, left:right] = _WHITE if bit else _BLACK


def read_frame_number(picture: npt.NDArray[np.uint8]) -> int | None:
    """The number burnt into a picture (height x width, or x channels), None when there is no readable bar."""
    luma = picture if picture.ndim == 2 else picture.mean(axis=2)
    side = luma.shape[1] / _BLOCKS_ACROSS
    middle, reach = round(side * 0.75), max(1, round(side / 5))
    levels = []
    for index in range(BITS + 2):
        centre = round((index + 0.75) * side)
        levels.append(float(luma[middle - reach : middle + reach, centre - reach : centre + reach].mean()))
    white, black = levels[BITS], levels[BITS + 1]
    if white - black < 90:
        return None
    threshold = (white + black) / 2
    return sum(1 << bit for bit in range(BITS) if levels[bit] > threshold)


def tone(audio: AudioKind, seconds: float) -> npt.NDArray[np.int16] | None:
    """440 Hz, on for a second and off for a second; None for no audio."""
    rate = encode.sound_rate(audio)
    if not rate:
        return None
    at = np.arange(int(seconds * rate)) / rate
    samples: npt.NDArray[np.int16] = (8000 * np.sin(2 * math.pi * 440 * at) * (np.floor(at) % 2 == 0)).astype(
        np.int16
    )
    return samples


def _background(width: int, height: int, random: np.random.Generator) -> Picture:
    down = np.linspace(60, 150, height)[:, None, None]
    across = 20 * np.sin(np.linspace(0, 9, width))[None, :, None]
    picture = (down + across + random.normal(0, 3, (height, width, 1))) * np.array([0.9, 1.0, 1.05])
    clipped: Picture = picture.clip(0, 255).astype(np.uint8)
    return clipped


def _draw_figure(picture: Picture, progress: float) -> None:
    height, width = picture.shape[:2]
    left = int(progress * width * 0.9)
    top, bottom = int(height * 0.4), int(height * 0.85)
    head = max(2, int(width * 0.03))
    picture[top:bottom, left : left + int(width * 0.06)] = (60, 60, 190)
    picture[top - head : top, left + head // 2 : left + head // 2 + head] = (150, 170, 210)
