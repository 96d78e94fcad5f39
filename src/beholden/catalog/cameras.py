"""Cameras in the catalog. Passwords are sealed at rest and opened only for those who pull streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from sqlalchemy import Connection, Row, func, select, update

from beholden.catalog import camera_settings, gaps, journal
from beholden.catalog.secrets import SecretBox
from beholden.catalog.tables import camera
from beholden.model.camera import (
    CameraConfig,
    RecordingMode,
    RecordingWindow,
    StreamAddress,
    StreamRole,
    Transport,
)
from beholden.model.errors import BeholdenError

CAMERAS_PER_SHARD = 64
DEFAULT_KEEP_DAYS = 14.0
_PLAIN_SETTINGS = (
    "record", "record_audio", "analyse", "transport", "certificate", "mode", "pre_seconds", "post_seconds",
    "keep_days", "keep_event_days", "max_days", "max_bytes", "memory_bytes", "listen", "detect_main",
)  # fmt: skip
# Made once: recorders ask every second.
_REVISION = select(func.count(), func.coalesce(func.sum(camera.c.rev), 0)).select_from(camera)


@dataclass(frozen=True, slots=True)
class NewCamera:
    """What a person gives to add a camera. URLs may carry user information; it is split off. The other
    settings are those of ``model.camera.CameraConfig``."""

    name: str
    main_url: str
    sub_url: str | None = None
    username: str | None = None
    password: str | None = None
    record: bool = True
    record_audio: bool = True
    analyse: str = "balanced"
    keep_days: float = DEFAULT_KEEP_DAYS
    transport: str = Transport.AUTO
    certificate: str = "verify"
    mode: str = RecordingMode.CONTINUOUS
    pre_seconds: int = 5
    post_seconds: int = 10
    windows: tuple[RecordingWindow, ...] = field(default=())
    keep_event_days: float | None = None
    max_days: float | None = None
    max_bytes: int | None = None
    memory_bytes: int | None = None
    listen: bool = False
    detect_main: bool = False


def split_url(url: str) -> StreamAddress:
    """Split user information off an RTSP URL; BeholdenError ``bad_url`` when it is not one."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise _bad_url("It is not a URL.") from error
    if parts.scheme not in ("rtsp", "rtsps"):
        raise _bad_url(
            f"It begins with {parts.scheme or 'nothing'}://, and a camera stream with rtsp:// or rtsps://."
        )
    if not parts.hostname:
        raise _bad_url("It names no host.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if port is None else f"{host}:{port}"
    clean = urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))
    return StreamAddress(clean, unquote(parts.username or ""), unquote(parts.password or ""))


def add(conn: Connection, box: SecretBox, at_ms: int, new: NewCamera, *, by: str = "") -> int:
    """Add a camera and return its id; ``by`` (who asked for it) is journalled.

    Raises BeholdenError ``bad_name``, ``name_taken``, ``bad_url`` or ``bad_value``.
    """
    main = split_url(new.main_url)
    sub = split_url(new.sub_url) if new.sub_url else None
    # An empty field of a form means "as in the address", not "nobody".
    username = new.username or main.username
    password = new.password or main.password
    values = {
        "name": new.name.strip(),
        "main_url": main.url,
        "sub_url": sub.url if sub else None,
        "username": username,
        "enabled": True,
        **{name: getattr(new, name) for name in _PLAIN_SETTINGS},
    }
    camera_settings.check(values)
    _check_name_free(conn, new.name, None)
    inserted = conn.execute(
        camera.insert()
        .values(**values, shard=_free_shard(conn), rev=1, created_ms=at_ms)
        .returning(camera.c.id)
    ).scalar_one()
    camera_id = int(inserted)
    _seal_password(conn, box, camera_id, password)
    rows = camera_settings.set_windows(conn, camera_id, new.windows)
    journal.append(conn, at_ms, "camera_added", camera_id, {**values, "windows": rows, **_by(by)})
    return camera_id


def change(
    conn: Connection,
    box: SecretBox,
    at_ms: int,
    camera_id: int,
    changes: Mapping[str, Any],
    *,
    by: str = "",
) -> None:
    """Change some of: name, main_url, sub_url (None removes it), username, password, enabled, and the
    settings of ``NewCamera``, by their names. Raises as ``add``, and ``camera_not_found``."""
    row = _present_row(conn, camera_id)
    values = dict(changes)
    password = values.pop("password", None)
    windows = values.pop("windows", None)
    for key in ("main_url", "sub_url"):
        if values.get(key):
            address = split_url(values[key])
            values[key] = address.url
            if address.username and not values.get("username"):
                values["username"] = address.username
                password = address.password if password is None else password
    if {"keep_days", "max_days"} & values.keys():
        camera_settings.check({"keep_days": row.keep_days, "max_days": row.max_days, **values})
    camera_settings.check(values)
    if "name" in values:
        values["name"] = values["name"].strip()
        _check_name_free(conn, values["name"], camera_id)
    conn.execute(update(camera).where(camera.c.id == camera_id).values(**values, rev=row.rev + 1))
    if password is not None:
        _seal_password(conn, box, camera_id, password)
        values["password_changed"] = True
    if windows is not None:
        values["windows"] = camera_settings.set_windows(conn, camera_id, windows)
    journal.append(conn, at_ms, "camera_changed", camera_id, {**values, **_by(by)})


def remove(
    conn: Connection, at_ms: int, camera_id: int, *, delete_footage: bool = False, by: str = ""
) -> None:
    """Stop using a camera. Its footage stays until its retention ends.

    ``delete_footage`` ends it now: nothing is to be kept any longer (``keep_days`` 0), and the recorder's
    retention carries that out.
    """
    row = _present_row(conn, camera_id)
    keep = 0.0 if delete_footage else row.keep_days
    conn.execute(
        update(camera)
        .where(camera.c.id == camera_id)
        .values(removed_ms=at_ms, enabled=False, rev=row.rev + 1, password_sealed=None, keep_days=keep)
    )
    for role in StreamRole:
        gaps.close_gap(conn, at_ms, camera_id, role, at_ms)
    if delete_footage:
        # Retention doubts mass deletions; days that a person set are its confirmation.
        journal.append(conn, at_ms, "camera_changed", camera_id, {"keep_days": keep, **_by(by)})
    body = {"name": row.name, "footage": "delete" if delete_footage else "keep", **_by(by)}
    journal.append(conn, at_ms, "camera_removed", camera_id, body)


def revision(conn: Connection) -> tuple[int, int]:
    """A pair that changes whenever any camera is added, changed or removed; cheap to poll."""
    row = conn.execute(_REVISION).one()
    return int(row[0]), int(row[1])


def present(conn: Connection, box: SecretBox | None, *, shard: int | None = None) -> list[CameraConfig]:
    """Cameras not removed, by id; passwords are empty when no box is given."""
    query = select(camera).where(camera.c.removed_ms.is_(None)).order_by(camera.c.id)
    if shard is not None:
        query = query.where(camera.c.shard == shard)
    windows = camera_settings.windows(conn)
    return [_config(row, box, windows) for row in conn.execute(query)]


def get(conn: Connection, box: SecretBox | None, camera_id: int) -> CameraConfig:
    """One camera that is not removed; BeholdenError ``camera_not_found``."""
    return _config(_present_row(conn, camera_id), box, camera_settings.windows(conn))


def find(conn: Connection, name: str) -> int:
    """The id of a camera by name or by number; BeholdenError ``camera_not_found``."""
    query = select(camera.c.id).where(camera.c.removed_ms.is_(None), camera.c.name == name)
    found = conn.execute(query).scalar()
    if found is None and name.isdecimal():
        found = _present_row(conn, int(name)).id
    if found is None:
        raise _not_found(name)
    return int(found)


def names(conn: Connection) -> dict[int, str]:
    """Names of all cameras, removed ones included, by id."""
    return {row.id: row.name for row in conn.execute(select(camera.c.id, camera.c.name))}


def keep_days(conn: Connection) -> dict[int, float]:
    """How long each camera's footage is kept, removed cameras included, by id."""
    return {row.id: row.keep_days for row in conn.execute(select(camera.c.id, camera.c.keep_days))}


def shards(conn: Connection) -> list[int]:
    """The recorder shards that have cameras; [0] when there are none yet."""
    query = select(camera.c.shard).where(camera.c.removed_ms.is_(None)).distinct().order_by(camera.c.shard)
    return [int(value) for value in conn.execute(query).scalars()] or [0]


def _config(
    row: Row[Any], box: SecretBox | None, windows: Mapping[int, tuple[RecordingWindow, ...]]
) -> CameraConfig:
    password = ""
    if box is not None and row.password_sealed is not None:
        password = box.unseal(row.password_sealed, _context(row.id))
    main = StreamAddress(row.main_url, row.username, password, Transport(row.transport), row.certificate)
    return CameraConfig(
        id=row.id,
        name=row.name,
        main=main,
        sub=replace(main, url=row.sub_url) if row.sub_url else None,
        enabled=row.enabled,
        record=row.record,
        record_audio=row.record_audio,
        analyse=row.analyse,
        keep_days=row.keep_days,
        shard=row.shard,
        rev=row.rev,
        created_ms=row.created_ms,
        mode=RecordingMode(row.mode),
        pre_seconds=row.pre_seconds,
        post_seconds=row.post_seconds,
        windows=windows.get(row.id, ()),
        keep_event_days=row.keep_event_days,
        max_days=row.max_days,
        max_bytes=row.max_bytes,
        memory_bytes=row.memory_bytes,
        listen=row.listen,
        detect_main=row.detect_main,
    )


def has_password(conn: Connection) -> set[int]:
    """Ids of cameras for which a password is stored."""
    query = select(camera.c.id).where(camera.c.password_sealed.is_not(None))
    return set(conn.execute(query).scalars())


def _seal_password(conn: Connection, box: SecretBox, camera_id: int, password: str) -> None:
    sealed = box.seal(password, _context(camera_id)) if password else None
    conn.execute(update(camera).where(camera.c.id == camera_id).values(password_sealed=sealed))


def _by(name: str) -> dict[str, str]:
    return {"by": name} if name else {}


def _context(camera_id: int) -> str:
    return f"camera/{camera_id}/password"


def _free_shard(conn: Connection) -> int:
    rows = conn.execute(
        select(camera.c.shard, func.count()).where(camera.c.removed_ms.is_(None)).group_by(camera.c.shard)
    )
    counts: dict[int, int] = {int(row[0]): int(row[1]) for row in rows}
    shard = 0
    while counts.get(shard, 0) >= CAMERAS_PER_SHARD:
        shard += 1
    return shard


def _present_row(conn: Connection, camera_id: int) -> Row[Any]:
    row = conn.execute(select(camera).where(camera.c.id == camera_id, camera.c.removed_ms.is_(None))).first()
    if row is None:
        raise _not_found(str(camera_id))
    return row


def _not_found(name: str) -> BeholdenError:
    return BeholdenError(
        "camera_not_found", f"There is no camera {name!r}.", "`beholden camera list` shows them."
    )


def _bad_url(reason: str) -> BeholdenError:
    return BeholdenError(
        "bad_url",
        f"That address cannot be used. {reason}",
        "Give the camera's RTSP address, such as rtsp://192.0.2.10:554/stream1.",
    )


def _check_name_free(conn: Connection, name: str, but: int | None) -> None:
    query = select(camera.c.id).where(camera.c.removed_ms.is_(None), camera.c.name == name.strip())
    if but is not None:
        query = query.where(camera.c.id != but)
    if conn.execute(query).first() is not None:
        raise BeholdenError(
            "name_taken", f"There is a camera named {name.strip()!r} already.", "Choose another name."
        )
