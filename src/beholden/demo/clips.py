"""The demo's cameras: what each shows, how it is coded, and the clips made once from real footage.

A clip's file name holds a digest of its recipe and source, so a change makes a new clip and nothing else
does.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from beholden.demo import encode, synthetic
from beholden.demo.camera import VirtualCamera
from beholden.demo.encode import AudioKind, Encoding, Picture
from beholden.demo.footage import STREET, WALKERS

SYNTHETIC = "synthetic"
_REVISION = 1
"""Raised when the way clips are made changes without their recipes changing."""

Progress = Callable[[int, int], None]
"""Called with pictures coded so far and pictures to code in all."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One camera: a part of a source picture (left, top, width, height in 0..1), maybe mirrored, coded twice.

    ``first`` and ``pictures`` choose a stretch of the source. ``fps`` is the source's true rate: vtest.avi
    was
    filmed at 7 a second though its header says 10.
    """

    name: str
    title: str
    source: str
    part: tuple[float, float, float, float]
    mirrored: bool
    main: Encoding
    sub: Encoding
    phase: float = 0.0
    first: int = 0
    pictures: int = 100_000


_WALKERS_FPS = 7
_STREET_FPS = 25


def _sub(fps: int, height: int = 360) -> Encoding:
    return Encoding(640, height, fps, gop=2 * fps, bitrate=500_000, preset="superfast")


RECIPES = (
    Recipe(
        "forecourt", "Forecourt", WALKERS.name, (0.0, 0.125, 1.0, 0.75), False,
        Encoding(1920, 1080, _WALKERS_FPS, "h264", 2 * _WALKERS_FPS, 3_000_000, "aac", "superfast"),
        _sub(_WALKERS_FPS),
    ),
    Recipe(
        "street", "Street", STREET.name, (0.0, 0.0, 1.0, 1.0), False,
        Encoding(1280, 544, _STREET_FPS, "h264", 2 * _STREET_FPS, 2_000_000, "pcmu", "superfast"),
        _sub(_STREET_FPS, 272),
    ),
    Recipe(
        "walkway", "Walkway", WALKERS.name, (0.2, 0.2, 0.75, 0.5625), True,
        Encoding(1280, 720, _WALKERS_FPS, "h265", 2 * _WALKERS_FPS, 1_500_000, "aac", "ultrafast"),
        _sub(_WALKERS_FPS), first=375, pictures=420,
    ),
    Recipe(
        "cycle-lane", "Cycle lane", STREET.name, (0.0, 0.0, 1.0, 1.0), True,
        Encoding(1280, 544, _STREET_FPS, "h264", 2 * _STREET_FPS, 2_000_000, "none", "superfast"),
        _sub(_STREET_FPS, 272), 0.4,
    ),
)  # fmt: skip


def choose_recipes(footage: dict[str, Path], count: int) -> list[Recipe]:
    """``count`` cameras from what footage there is: the four, then the same again under other names and
    phases.

    A recipe whose footage is missing shows the other footage; without any, drawn pictures.
    """
    chosen = []
    for index in range(count):
        base = _with_footage(RECIPES[index % len(RECIPES)], footage)
        turn = index // len(RECIPES)
        if turn:
            name, title = f"{base.name}-{turn + 1}", f"{base.title} {turn + 1}"
            base = replace(base, name=name, title=title, phase=(base.phase + 0.17 * turn) % 1)
        chosen.append(base)
    return chosen


def _with_footage(recipe: Recipe, footage: dict[str, Path]) -> Recipe:
    if recipe.source in footage:
        return recipe
    source = next(iter(footage), SYNTHETIC)
    fps = {WALKERS.name: _WALKERS_FPS, STREET.name: _STREET_FPS}.get(source, 10)
    main = replace(recipe.main, fps=fps, gop=2 * fps)
    sub = replace(recipe.sub, fps=fps, gop=2 * fps)
    return replace(recipe, source=source, main=main, sub=sub, first=0)


def make_cameras(
    recipes: list[Recipe], footage: dict[str, Path], cache: Path, progress: Progress
) -> list[VirtualCamera]:
    """The cameras, with every clip coded that is not yet in the cache."""
    wanted: dict[Path, tuple[Recipe, Encoding]] = {}
    cameras = []
    for recipe in recipes:
        paths = []
        for encoding in (recipe.main, recipe.sub):
            path = cache / _file_name(recipe, encoding, footage)
            wanted.setdefault(path, (recipe, encoding))
            paths.append(path)
        cameras.append(VirtualCamera(recipe.name, paths[0], paths[1], recipe.phase))
    _code({path: choice for path, choice in wanted.items() if not path.exists()}, footage, progress)
    return cameras


def _code(missing: dict[Path, tuple[Recipe, Encoding]], footage: dict[str, Path], progress: Progress) -> None:
    total = sum(_count(recipe, footage) for recipe, _ in missing.values())
    done = 0
    for path, (recipe, encoding) in missing.items():

        def counted(pictures: Iterator[Picture]) -> Iterator[Picture]:
            nonlocal done
            for picture in pictures:
                yield picture
                done += 1
                progress(done, total)

        seconds = _count(recipe, footage) / encoding.fps
        pictures = counted(_pictures(recipe, encoding, footage))
        encode.write_clip(path, pictures, encoding, ambience(encoding.audio, seconds))


def _file_name(recipe: Recipe, encoding: Encoding, footage: dict[str, Path]) -> str:
    source = footage.get(recipe.source)
    content = hashlib.sha256(source.read_bytes()).hexdigest() if source else SYNTHETIC
    stretch = (recipe.part, recipe.mirrored, recipe.first, recipe.pictures)
    key = repr((_REVISION, content, recipe.source, stretch, encoding))
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    base = f"{Path(recipe.source).stem}-{encoding.codec}-{encoding.width}x{encoding.height}"
    return f"{base}-{digest}{encode.suffix(encoding.audio, encoding.codec)}"


def _count(recipe: Recipe, footage: dict[str, Path]) -> int:
    source = footage.get(recipe.source)
    if source is None:
        return 20 * recipe.main.fps
    with av.open(str(source)) as container:
        return min(container.streams.video[0].frames - recipe.first, recipe.pictures)


def _pictures(recipe: Recipe, encoding: Encoding, footage: dict[str, Path]) -> Iterator[Picture]:
    source = footage.get(recipe.source)
    if source is None:
        yield from synthetic.draw(encoding.width, encoding.height, _count(recipe, footage), noise=2)
        return
    left, top, width, height = recipe.part
    with av.open(str(source)) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = container.decode(video=0)
        for frame in itertools.islice(frames, recipe.first, recipe.first + recipe.pictures):
            x, y = round(left * frame.width), round(top * frame.height)
            whole = frame.to_ndarray(format="bgr24")
            part = whole[y : y + round(height * frame.height), x : x + round(width * frame.width)]
            if recipe.mirrored:
                part = part[:, ::-1]
            size = (encoding.width, encoding.height)
            shrinks = part.shape[1] > encoding.width
            way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            yield np.asarray(cv2.resize(part, size, interpolation=way), np.uint8)


def ambience(audio: AudioKind, seconds: float) -> npt.NDArray[np.int16] | None:
    """Quiet outdoor noise with a soft two-tone chime every ten seconds; None for no audio."""
    rate = encode.sound_rate(audio)
    if not rate:
        return None
    count = int(seconds * rate)
    hiss = np.random.default_rng(2).normal(0, 1, count + 64)
    rumble = np.convolve(hiss, np.ones(64) / 64, mode="valid")[:count] * 2400
    at = np.arange(count) / rate
    chime = np.zeros(count)
    for start, pitch in ((0.0, 660.0), (0.35, 528.0)):
        since = at % 10 - start
        chime += np.where(
            since >= 0, np.exp(-6 * np.maximum(since, 0)) * np.sin(2 * np.pi * pitch * since), 0
        )
    mixed: npt.NDArray[np.int16] = (rumble + 3000 * chime).clip(-32768, 32767).astype(np.int16)
    return mixed
