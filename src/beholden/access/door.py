"""The door: the one function through which every byte of footage leaves.

``Door.open`` checks the right, writes the look durably, and only then returns a ``Pass``. Functions that
serve footage take a ``Pass`` as an argument, and nothing outside this file can make one
(tests/access/test_door_only.py reads the tree for it). docs/design/access.md tells why.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import structlog

from beholden.access.refusal import NoSuchCameraError, NotPermittedError
from beholden.access.rights import may
from beholden.access.viewer import Viewer
from beholden.catalog import Catalog, cameras, looks, users
from beholden.catalog import sessions as stored
from beholden.catalog.looks import Look
from beholden.model.access import Action
from beholden.model.time import Clock

log = structlog.get_logger()

SAME_LOOK_SECONDS = 600.0
# A range request or a picture shown again is the same look; a live view or a download never is.
_COALESCED = frozenset({Action.PLAYBACK, Action.STILL})
_REMEMBERED = 10_000
NO_CAMERA = 0  # the look of an address that is not a camera of this site (yet)

_DOOR: Final = object()


class Pass:
    """Leave to take the footage it names. Only ``Door`` makes these.

    Times are epoch milliseconds UTC; ``end_ms`` is None for live. ``look_id`` is the row that recorded it.
    ``clear`` says of a still whether people in it may be seen as they are; without it they are hidden.
    """

    __slots__ = ("action", "camera", "clear", "end_ms", "look_id", "start_ms", "viewer", "what")

    viewer: Viewer
    camera: int
    action: Action
    start_ms: int
    end_ms: int | None
    what: str
    look_id: int
    clear: bool

    def __init__(
        self,
        made_by: object,
        viewer: Viewer,
        camera: int,
        action: Action,
        start_ms: int,
        end_ms: int | None,
        what: str,
        look_id: int,
        clear: bool,
    ) -> None:
        if made_by is not _DOOR:
            raise TypeError("only beholden.access.door.Door makes a Pass")
        values = (viewer, camera, action, start_ms, end_ms, what, look_id, clear)
        names = ("viewer", "camera", "action", "start_ms", "end_ms", "what", "look_id", "clear")
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Pass does not change")

    def __reduce__(self) -> str:
        raise TypeError("a Pass cannot be copied or sent")

    def __repr__(self) -> str:
        return f"Pass(camera={self.camera}, action={self.action.value}, look={self.look_id})"

    def require(self, camera: int, *actions: Action) -> None:
        """NotPermittedError unless this pass is for that camera and, when given, one of those actions."""
        if camera != self.camera or (actions and self.action not in actions):
            raise NotPermittedError()


@dataclass(frozen=True, slots=True)
class _Recent:
    look_id: int
    at: float  # monotonic


_Key = tuple[int, int, Action, int, int | None, str]


class Door:
    """Checks rights and writes looks. Safe to use from several threads; one for a web role."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._lock = threading.Lock()
        self._recent: OrderedDict[_Key, _Recent] = OrderedDict()

    def open(
        self,
        viewer: Viewer,
        camera: int,
        action: Action,
        start_ms: int,
        end_ms: int | None,
        what: str,
    ) -> Pass:
        """Leave for one act of viewing, its look durable in the catalog.

        ``what`` names the thing (``"main 1795472104250-0"``, ``"event 12 still"``, ``"live main stream"``)
        without the user's words. Playback and stills of the same ``what`` and range by the same
        session within ten minutes are one look; rights are checked every time all the same. Of a still the
        look also says whether people in it were shown clear or blurred.

        Raises NotPermittedError (also for a session that has ended), NoSuchCameraError, CatalogError.
        Blocks for a durable write: call it in a thread.
        """
        user = self._check(viewer, camera, action)
        if action is Action.CLEAR:  # how a still is seen, not an act of seeing
            raise self._refused(viewer, camera, action)
        clear = may(user, camera, Action.CLEAR)
        if action is Action.STILL:
            what = f"{what}, {'clear' if clear else 'blurred'}"
        key = (viewer.session_id, camera, action, start_ms, end_ms, what)
        if action not in _COALESCED:
            look_id = self._write(viewer, camera, action, start_ms, end_ms, what)
            return Pass(_DOOR, viewer, camera, action, start_ms, end_ms, what, look_id, clear)
        # Held over the write: a second reader of the same file must wait until the first look is durable.
        with self._lock:
            look_id = self._recent_look(key) or self._write(viewer, camera, action, start_ms, end_ms, what)
            self._remember(key, look_id)
        return Pass(_DOOR, viewer, camera, action, start_ms, end_ms, what, look_id, clear)

    def open_address(self, viewer: Viewer, url: str) -> Pass:
        """Leave for one picture from an address that is no camera of this site, for testing it.

        Administrators only. The look names the address (without user information) and camera 0; when a
        camera of the site has that address, the look is of that camera.
        """
        if not viewer.is_admin:
            raise self._refused(viewer, NO_CAMERA, Action.STILL)
        address = cameras.split_url(url).url
        camera = self._camera_at(address)
        if camera != NO_CAMERA:
            self._check(viewer, camera, Action.STILL)
        now, what = self._clock.now_ms(), f"test of {address}"
        look_id = self._write(viewer, camera, Action.STILL, now, now, what)
        return Pass(_DOOR, viewer, camera, Action.STILL, now, now, what, look_id, clear=True)

    def holds(self, leave: Pass) -> bool:
        """Whether a pass would be given again: session alive, account enabled, right still there.

        Long-lived views ask every few seconds and end when it does not.
        """
        try:
            self._check(leave.viewer, leave.camera, leave.action)
        except (NotPermittedError, NoSuchCameraError):
            return False
        return True

    def _check(self, viewer: Viewer, camera: int, action: Action) -> users.User:
        now = self._clock.now_ms()
        with self._catalog.read() as conn:
            user = users.by_id(conn, viewer.user_id)
            sessions = {session.id for session in stored.of_user(conn, viewer.user_id, now)}
            known = camera in cameras.names(conn)
        if user is None or viewer.session_id not in sessions or not may(user, camera, action):
            raise self._refused(viewer, camera, action)
        if not known:
            raise NoSuchCameraError(camera)
        return user

    def _refused(self, viewer: Viewer, camera: int, action: Action) -> NotPermittedError:
        log.warning("look refused", camera=camera, user=viewer.name, action=action.value, ip=viewer.ip)
        return NotPermittedError("Your account may not see this.")

    def _write(
        self, viewer: Viewer, camera: int, action: Action, start_ms: int, end_ms: int | None, what: str
    ) -> int:
        item = Look(
            id=0,
            at_ms=self._clock.now_ms(),
            user_id=viewer.user_id,
            user_name=viewer.name,
            session_id=viewer.session_id,
            ip=viewer.ip,
            camera=camera,
            action=action,
            from_ms=start_ms,
            to_ms=end_ms,
            what=what,
        )
        with self._catalog.write() as conn:
            return looks.append(conn, item)

    def _recent_look(self, key: _Key) -> int | None:
        recent = self._recent.get(key)
        if recent is None or self._clock.monotonic() - recent.at >= SAME_LOOK_SECONDS:
            return None
        return recent.look_id

    def _remember(self, key: _Key, look_id: int) -> None:
        known = self._recent.get(key)
        if known is None or known.look_id != look_id:
            self._recent[key] = _Recent(look_id, self._clock.monotonic())
            self._recent.move_to_end(key)
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    def _camera_at(self, address: str) -> int:
        with self._catalog.read() as conn:
            present = cameras.present(conn, None)
        for camera in present:
            if address in (camera.main.url, camera.sub.url if camera.sub else None):
                return camera.id
        return NO_CAMERA
