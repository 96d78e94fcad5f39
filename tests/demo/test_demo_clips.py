"""The demo's cameras: recipes for what footage there is, and clips coded from it once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from beholden.demo import clips
from beholden.demo.clips import RECIPES, SYNTHETIC, choose_recipes, make_cameras
from beholden.demo.encode import Encoding
from beholden.demo.synthetic import synthetic_clip


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Footage of two short drawn clips under the real names, and recipes with small pictures."""
    folder = tmp_path / "footage"
    footage = {
        "vtest.avi": synthetic_clip(folder, fps=7, seconds=2),
        "bikes.mp4": synthetic_clip(folder, width=240, height=102, fps=25, seconds=1),
    }

    def shrunk(encoding: Encoding) -> Encoding:
        return replace(encoding, width=encoding.width // 8 * 2, height=encoding.height // 8 * 2)

    recipes = tuple(replace(r, main=shrunk(r.main), sub=shrunk(r.sub), first=r.first // 100) for r in RECIPES)
    monkeypatch.setattr(clips, "RECIPES", recipes)
    return footage


def _streams(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams]


def test_the_four_cameras_are_what_was_promised() -> None:
    """H.264 + AAC, H.264 + G.711, H.265 with an H.264 sub, one without audio; subs H.264; GOPs of two
    seconds."""
    mains = [(recipe.main.codec, recipe.main.audio) for recipe in RECIPES]
    assert mains == [("h264", "aac"), ("h264", "pcmu"), ("h265", "aac"), ("h264", "none")]
    assert {recipe.sub.codec for recipe in RECIPES} == {"h264"}
    for recipe in RECIPES:
        assert recipe.main.gop_pictures <= 2 * recipe.main.fps
        assert recipe.sub.width == 640


def test_clips_are_coded_as_their_recipes_say(small: dict[str, Path], tmp_path: Path) -> None:
    """Every stream has its codecs, size and rate; progress goes up to all pictures; main and sub last as
    long."""
    seen: list[tuple[int, int]] = []
    cameras = make_cameras(
        choose_recipes(small, 4), small, tmp_path / "clips", lambda *step: seen.append(step)
    )
    assert [_streams(camera.main) for camera in cameras] == [
        ["h264", "aac"],
        ["h264", "pcm_mulaw"],
        ["hevc", "aac"],
        ["h264"],
    ]
    assert seen == [(index + 1, seen[0][1]) for index in range(len(seen))]
    assert seen[-1][0] == seen[-1][1]
    for camera, recipe in zip(cameras, choose_recipes(small, 4), strict=True):
        assert camera.sub is not None
        with av.open(str(camera.main)) as main, av.open(str(camera.sub)) as sub:
            assert float(main.streams.video[0].average_rate or 0) == pytest.approx(recipe.main.fps, rel=0.01)
            assert (main.streams.video[0].width, sub.streams.video[0].width) == (
                recipe.main.width,
                recipe.sub.width,
            )
            assert main.streams.video[0].frames == sub.streams.video[0].frames


def test_the_second_time_nothing_is_coded(small: dict[str, Path], tmp_path: Path) -> None:
    """The cache is used; other footage or another recipe makes new files and touches no old one."""
    recipes = choose_recipes(small, 2)
    first = make_cameras(recipes, small, tmp_path / "clips", lambda *_: None)
    steps: list[int] = []
    assert make_cameras(recipes, small, tmp_path / "clips", lambda done, _: steps.append(done)) == first
    assert steps == []
    other = replace(recipes[0], main=replace(recipes[0].main, bitrate=1_000_000))
    changed = make_cameras([other], small, tmp_path / "clips", lambda *_: None)
    assert changed[0].main != first[0].main
    assert changed[0].sub == first[0].sub


def test_missing_footage_is_replaced(small: dict[str, Path]) -> None:
    """With one source all cameras show it at its own rate; with none they show drawn pictures."""
    only = {"bikes.mp4": small["bikes.mp4"]}
    assert {recipe.source for recipe in choose_recipes(only, 4)} == {"bikes.mp4"}
    assert {recipe.main.fps for recipe in choose_recipes(only, 4)} == {25}
    assert {recipe.first for recipe in choose_recipes(only, 4)} == {0}
    assert {recipe.source for recipe in choose_recipes({}, 4)} == {SYNTHETIC}
    assert [recipe.main.codec for recipe in choose_recipes({}, 4)] == ["h264", "h264", "h265", "h264"]


def test_more_cameras_share_clips_under_other_names(small: dict[str, Path], tmp_path: Path) -> None:
    """Nine cameras have nine names and phases, but no more clips than four have."""
    recipes = choose_recipes(small, 9)
    assert len({recipe.name for recipe in recipes}) == len({recipe.title for recipe in recipes}) == 9
    cameras = make_cameras(recipes, small, tmp_path / "clips", lambda *_: None)
    assert len({camera.main for camera in cameras}) == 4
    assert cameras[0].phase != cameras[4].phase


def test_mirrored_and_cut_pictures(small: dict[str, Path]) -> None:
    """The third camera shows a part of the picture, the other way round."""
    recipe = replace(choose_recipes(small, 3)[2], part=(0.5, 0.0, 0.5, 1.0))
    plain = replace(recipe, mirrored=False)
    size = Encoding(160, 180, 7)
    mirrored = next(iter(clips._pictures(recipe, size, small)))
    straight = next(iter(clips._pictures(plain, size, small)))
    assert mirrored.shape == (180, 160, 3)
    assert np.array_equal(mirrored[:, ::-1], straight)
    assert not np.array_equal(mirrored, straight)


def test_ambience_is_audible_but_quiet() -> None:
    """Sound is there, never clips, and is made for the codec's rate."""
    sound = clips.ambience("aac", 3.0)
    assert sound is not None
    assert len(sound) == 48_000
    assert 200 < int(np.abs(sound).max()) < 12_000
    assert clips.ambience("none", 3.0) is None
