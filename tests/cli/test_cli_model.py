"""`beholden model check`: a model is tried out before it is used."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from beholden.analyse.detect.network import DEFAULT_CARD
from beholden.cli.app import run


def test_a_good_model_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    """Its engines with their times, one of them chosen."""
    assert run(["model", "check", str(DEFAULT_CARD)]) == 0
    told = capsys.readouterr().out
    assert "can be used" in told
    assert "onnxruntime" in told
    assert told.count("chosen") == 1


def test_scripts_get_json_with_detections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is found in an empty picture."""
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((180, 320, 3), 90, np.uint8))
    given = ["model", "check", str(DEFAULT_CARD), "--picture", str(tmp_path / "grey.png"), "--json"]
    assert run(given) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["family"] == "nanodet"
    assert told["engine"] in told["milliseconds"]
    assert told["detections"] == []


@pytest.mark.parametrize("what", ["missing.toml", "grey.png"])
def test_what_is_no_card_is_told(tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, exit code 1."""
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((18, 32, 3), 90, np.uint8))
    assert run(["model", "check", str(tmp_path / what)]) == 1
    assert "model card" in capsys.readouterr().err


def test_a_picture_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, exit code 1."""
    (tmp_path / "x.jpg").write_bytes(b"no")
    assert run(["model", "check", str(DEFAULT_CARD), "--picture", str(tmp_path / "x.jpg")]) == 1
    assert "not a picture" in capsys.readouterr().err
