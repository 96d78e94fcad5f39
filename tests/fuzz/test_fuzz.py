"""The fuzz run: a fixed number of inputs each time the tests run, and proof that it would find something.

The long run is `./scripts/bench fuzz`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import fuzz
from benchmarks.fuzz import targets

from beholden.model.media import Track

INPUTS = 6000
_ROOT = Path(__file__).parents[2]
_PLANTED = """
from benchmarks.fuzz import targets
@targets.target(b"seed")
def planted(data):
    if len(data) > 2:
        raise KeyError(data)
from benchmarks.fuzz.__main__ import main
main()
"""


def _atheris() -> None:
    pytest.importorskip("atheris", reason="atheris is not there for this Python and machine")


def test_a_short_guided_run_finds_nothing(tmp_path: Path) -> None:
    """All targets, guided by coverage, with the bounds of time and memory of the long run."""
    _atheris()
    words = fuzz.command("all", INPUTS, 100, tmp_path)
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False, cwd=_ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert list(tmp_path.glob("found-*")) == []
    assert f"Done {INPUTS} runs" in done.stderr


def test_a_fault_would_be_found(tmp_path: Path) -> None:
    """A target that fails for most inputs ends the run with a finding that can be tried again."""
    _atheris()
    words = [sys.executable, "-c", _PLANTED, "planted", "--runs", "1000", "--corpus", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, check=False, cwd=_ROOT)
    assert done.returncode != 0
    assert list(tmp_path.glob("found-planted-*"))


def test_the_long_run_reports_what_it_did(tmp_path: Path) -> None:
    """By the bench's rules: every figure it names, and the number of inputs asked for."""
    _atheris()
    parser = argparse.ArgumentParser()
    fuzz.add_arguments(parser)
    options = parser.parse_args(["--runs", "300", "--target", "rtcp", "--corpus", str(tmp_path)])
    figures = fuzz.run(options)
    assert set(figures.named) == set(fuzz.FIGURES)
    assert (figures.named["inputs"], figures.named["findings"]) == (300, 0)


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_seeds_are_true_inputs(name: str) -> None:
    """Every target takes its own seeds, and has some."""
    found = targets.TARGETS[name]
    assert found.seeds
    for seed in found.seeds:
        found.fuzzed(seed)
        targets.everything(bytes((sorted(targets.TARGETS).index(name),)) + seed)


@pytest.mark.parametrize("codec", sorted(targets.DESCRIPTIONS))
def test_seeds_of_media_reach_the_sink(codec: str) -> None:
    """Or the depacketisers would be fuzzed no deeper than their headers."""
    description = targets.DESCRIPTIONS[codec]
    sink = targets.media(description, targets.TARGETS[f"media_{codec}"].seeds[0])
    assert sink.format is not None
    assert sink.counts[Track.VIDEO] > 0
    assert (sink.counts[Track.AUDIO] > 0) == ("m=audio" in description)


def test_a_sink_that_is_lied_to_says_so() -> None:
    """The checks on what is delivered can fail."""
    sink = targets.CheckingSink()
    unit = targets.AccessUnit(Track.VIDEO, 0, True, [b"abc"], 3, 0)
    with pytest.raises(AssertionError):
        sink.on_access_unit(unit)
