"""Trying a camera out: the probe's words, a decoded picture, and the pass that the picture needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from beholden.access.door import Pass
from beholden.access.refusal import NotPermittedError
from beholden.access.viewer import Viewer
from beholden.ingest.probe import ProbeResult
from beholden.model.access import Action, Role
from beholden.model.camera import StreamAddress
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat
from beholden.web.camera_trial import CameraTrial

NOWHERE = StreamAddress("rtsp://192.0.2.1/", "me", "canary-Pa55word")


def leave(site: Any, action: Action = Action.STILL) -> Pass:
    """A pass of the administrator for the camera ``gate``."""
    session = site.app.state.context.sessions
    user = site.app.state.context.user(Viewer(site.admin, "admin", Role.ADMIN, 0, ""))
    viewer = session.start(user, "192.0.2.1", "test").viewer
    made: Pass = site.app.state.context.door.open(viewer, site.gate, action, 0, 0, "test")
    return made


def test_a_bad_camera_is_told_in_the_probes_words(site: Any) -> None:
    """Without a picture, and without failing."""
    found = ProbeResult("bad", "Nothing answered.", "Check the address.", remarks=(("info", "x"),))
    tried = CameraTrial(lambda _: found).run(NOWHERE, leave(site))
    assert (tried.verdict, tried.sentence, tried.next_step) == (
        "bad",
        "Nothing answered.",
        "Check the address.",
    )
    assert tried.still is None
    assert tried.remarks == (("info", "x"),)


def test_a_pass_for_something_else_is_refused_before_anything_is_pulled(site: Any) -> None:
    """A trial shows a picture, so it needs leave for a still."""
    pulled: list[StreamAddress] = []
    with pytest.raises(NotPermittedError):
        CameraTrial(pulled.append).run(NOWHERE, leave(site, Action.LIVE))  # type: ignore
    assert pulled == []


@pytest.mark.rtsp
def test_a_real_stream_gives_a_verdict_and_its_picture(site: Any, virtual_cameras: Any) -> None:
    """Over the API: codec, size, pace and a JPEG of what the camera shows; the look is there before."""
    site.app.state.context = replace(site.app.state.context, trial=CameraTrial())
    admin = site.client("admin")
    told = admin.post("/api/v1/cameras/test", json={"url": virtual_cameras.url("gate")}).json()
    assert told["verdict"] in ("good", "usable")
    assert (told["codec"], told["width"], told["height"], told["audio_codec"]) == ("h264", 320, 180, "aac")
    assert told["still"].startswith("data:image/jpeg;base64,/9j/")
    assert admin.get("/api/v1/looks").json()["looks"][0]["what"].startswith("test of rtsp://")


@pytest.mark.rtsp
def test_a_mask_hides_in_the_picture_of_a_trial(site: Any, virtual_cameras: Any) -> None:
    """What is black in a camera's stills is black in the picture of its test."""
    whole = (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),)
    trial = CameraTrial(masks_of=lambda camera: whole if camera == site.gate else ())
    tried = trial.run(StreamAddress(virtual_cameras.url("gate")), leave(site))
    assert tried.still is not None
    picture = cv2.imdecode(np.frombuffer(tried.still, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.max() < 12


def test_a_picture_that_cannot_be_decoded_is_a_remark(site: Any) -> None:
    """The stream can be recorded all the same."""
    video = VideoFormat("h264", 320, 180, (b"\x67\x42\x00\x1e\xab", b"\x68\xce\x3c\x80"))
    key = AccessUnit(Track.VIDEO, 0, True, [b"\x00\x00\x00\x04junk"], 8, 0)
    found = ProbeResult("good", "It can be recorded.", "", format=StreamFormat(video), key=key)
    tried = CameraTrial(lambda _: found).run(NOWHERE, leave(site))
    assert (tried.verdict, tried.still) == ("good", None)
    assert [level for level, _ in tried.remarks] == ["warning"]
