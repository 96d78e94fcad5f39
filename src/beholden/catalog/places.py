"""Zones, lines, masks and the ground plane of each camera. Every change is journalled with who made it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from beholden.catalog import journal
from beholden.catalog.drawing import check_plane, checked_points
from beholden.catalog.tables import camera, ground_plane, place, rule
from beholden.model.errors import BeholdenError
from beholden.model.place import GroundPlane, Place, PlaceKind, Point
from beholden.model.rule import RuleKind

MOST_PLACES = 1000  # of one camera


def add(
    conn: Connection, at_ms: int, camera_id: int, kind: PlaceKind, name: str, points: Sequence[Point], by: str
) -> Place:
    """Draw a place. BeholdenError ``camera_not_found``, ``bad_name``, ``name_taken``, ``too_many_places`` or
    what ``drawing.checked_points`` says."""
    check_camera(conn, camera_id)
    values: dict[str, Any] = {"name": _checked_name(conn, camera_id, name, None)}
    kept = checked_points(kind, points)
    present = select(func.count()).where(place.c.camera == camera_id, place.c.removed_ms.is_(None))
    if conn.execute(present).scalar_one() >= MOST_PLACES:
        raise BeholdenError("too_many_places", f"A camera can have {MOST_PLACES} places.", "Remove some.")
    values |= {"camera": camera_id, "kind": kind.value, "points": _text(kept)}
    made = conn.execute(insert(place).values(**values, rev=1, changed_ms=at_ms).returning(place.c.id))
    place_id = int(made.scalar_one())
    _journal(conn, at_ms, "place_added", get(conn, place_id), by)
    return get(conn, place_id)


def drawn(camera_id: int, kind: PlaceKind, name: str, points: Sequence[Point], at_ms: int) -> Place:
    """A place that is not stored, for a back-test; checked as ``add`` does."""
    return Place(0, camera_id, kind, checked_name(name, "place"), checked_points(kind, points), 1, at_ms)


def change(
    conn: Connection,
    at_ms: int,
    place_id: int,
    *,
    name: str | None = None,
    points: Sequence[Point] | None = None,
    rev: int | None = None,
    by: str,
) -> Place:
    """Rename or redraw it. With ``rev``, only when it is still that revision: ``changed_meanwhile``. Other
    errors as ``add``, and ``place_not_found``."""
    old = get(conn, place_id)
    if rev is not None and rev != old.rev:
        raise changed_meanwhile("place")
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = _checked_name(conn, old.camera, name, place_id)
    if points is not None:
        values["points"] = _text(checked_points(old.kind, points))
    if values:
        values |= {"rev": old.rev + 1, "changed_ms": at_ms}
        conn.execute(update(place).where(place.c.id == place_id).values(**values))
        _journal(conn, at_ms, "place_changed", get(conn, place_id), by)
    return get(conn, place_id)


def remove(conn: Connection, at_ms: int, place_id: int, by: str) -> None:
    """Remove it; ``place_in_use`` while a rule refers to it, ``place_not_found``."""
    old = get(conn, place_id)
    used = conn.execute(
        select(rule.c.name).where(rule.c.place == place_id, rule.c.removed_ms.is_(None))
    ).scalar()
    if used is not None:
        raise BeholdenError(
            "place_in_use", f"The rule {used!r} is about this place.", "Remove or change the rule first."
        )
    values = {"removed_ms": at_ms, "rev": old.rev + 1, "changed_ms": at_ms}
    conn.execute(update(place).where(place.c.id == place_id).values(**values))
    _journal(conn, at_ms, "place_removed", old, by)


def get(conn: Connection, place_id: int) -> Place:
    """One; ``place_not_found`` when there is none, or it was removed."""
    row = conn.execute(select(place).where(place.c.id == place_id, place.c.removed_ms.is_(None))).first()
    if row is None:
        raise _not_found(str(place_id))
    return _place(row)


def find(conn: Connection, camera_id: int, word: str) -> int:
    """The id of a camera's place by name or number; ``place_not_found``."""
    for item in of_camera(conn, camera_id):
        if word in (item.name, str(item.id)):
            return item.id
    raise _not_found(word)


def of_camera(conn: Connection, camera_id: int, kinds: Iterable[PlaceKind] = PlaceKind) -> list[Place]:
    """A camera's places of these kinds, in order of drawing."""
    query = select(place).where(
        place.c.camera == camera_id,
        place.c.removed_ms.is_(None),
        place.c.kind.in_([kind.value for kind in kinds]),
    )
    return [_place(row) for row in conn.execute(query.order_by(place.c.id))]


def present(conn: Connection) -> dict[int, list[Place]]:
    """All places by camera."""
    found: dict[int, list[Place]] = {}
    for row in conn.execute(select(place).where(place.c.removed_ms.is_(None)).order_by(place.c.id)):
        found.setdefault(row.camera, []).append(_place(row))
    return found


def names(conn: Connection) -> dict[int, str]:
    """Names by id, removed ones included: old events still tell of them."""
    return {row.id: row.name for row in conn.execute(select(place.c.id, place.c.name))}


def revision(conn: Connection) -> tuple[int, ...]:
    """Changes whenever a place or a ground plane does, so that readers can poll cheaply."""
    found: list[int] = []
    for table in (place, ground_plane):
        query = select(func.count(), func.coalesce(func.sum(table.c.rev), 0)).select_from(table)
        found += conn.execute(query).one()
    return tuple(found)


def set_ground(
    conn: Connection, at_ms: int, camera_id: int, points: Sequence[Point], metres: Sequence[Point], by: str
) -> GroundPlane:
    """Say where four points of the picture lie on the ground; ``place_outside`` or ``bad_ground``."""
    check_camera(conn, camera_id)
    check_plane(points, metres)
    old = ground(conn, camera_id)
    rev = old.rev + 1 if old is not None else _last_ground_rev(conn, camera_id) + 1
    values = {"points": _text(points), "metres": _text(metres), "rev": rev, "changed_ms": at_ms}
    if old is None:
        conn.execute(insert(ground_plane).values(camera=camera_id, **values))
    else:
        conn.execute(update(ground_plane).where(ground_plane.c.camera == camera_id).values(**values))
    body = {"points": list(points), "metres": list(metres), "rev": rev, "by": by}
    journal.append(conn, at_ms, "ground_changed", camera_id, body)
    made = ground(conn, camera_id)
    assert made is not None
    return made


def remove_ground(conn: Connection, at_ms: int, camera_id: int, by: str) -> None:
    """Forget it; nothing happens when there is none. ``ground_in_use`` while a rule measures speed on it."""
    old = ground(conn, camera_id)
    if old is not None:
        query = select(rule.c.name).where(rule.c.camera == camera_id, rule.c.removed_ms.is_(None))
        used = conn.execute(query.where(rule.c.kind == RuleKind.SPEED.value)).scalar()
        if used is not None:
            raise BeholdenError(
                "ground_in_use", f"The rule {used!r} measures speed on it.", "Remove that rule first."
            )
        conn.execute(delete(ground_plane).where(ground_plane.c.camera == camera_id))
        journal.append(conn, at_ms, "ground_removed", camera_id, {"rev": old.rev, "by": by})


def ground(conn: Connection, camera_id: int) -> GroundPlane | None:
    """A camera's ground plane."""
    row = conn.execute(select(ground_plane).where(ground_plane.c.camera == camera_id)).first()
    return _ground(row) if row is not None else None


def grounds(conn: Connection) -> dict[int, GroundPlane]:
    """All of them by camera."""
    return {row.camera: _ground(row) for row in conn.execute(select(ground_plane))}


def changed_meanwhile(what: str) -> BeholdenError:
    """Somebody else was quicker."""
    return BeholdenError(
        "changed_meanwhile", f"Somebody has changed this {what} since you opened it.", "Load it again."
    )


def checked_name(name: str, what: str) -> str:
    """A name of 1 to 100 characters; ``bad_name``."""
    if not 1 <= len(name.strip()) <= 100:
        raise BeholdenError("bad_name", f"A {what} needs a name of 1 to 100 characters.")
    return name.strip()


def _last_ground_rev(conn: Connection, camera_id: int) -> int:
    """The revision a removed plane had, so that numbers are never used twice."""
    facts = journal.of_kind(conn, "ground_removed", camera_id)
    return int(facts[-1].body["rev"]) if facts else 0


def _checked_name(conn: Connection, camera_id: int, name: str, but: int | None) -> str:
    kept = checked_name(name, "place")
    query = select(place.c.id).where(
        place.c.camera == camera_id, place.c.removed_ms.is_(None), place.c.name == kept
    )
    found = conn.execute(query).scalar()
    if found is not None and found != but:
        raise BeholdenError("name_taken", f"There is a place named {kept!r} already.", "Choose another name.")
    return kept


def check_camera(conn: Connection, camera_id: int) -> None:
    """``camera_not_found`` unless there is such a camera."""
    query = select(camera.c.id).where(camera.c.id == camera_id, camera.c.removed_ms.is_(None))
    if conn.execute(query).first() is None:
        raise BeholdenError(
            "camera_not_found", f"There is no camera {camera_id}.", "`beholden camera list` shows them."
        )


def _journal(conn: Connection, at_ms: int, fact: str, item: Place, by: str) -> None:
    body = {
        "place": item.id,
        "kind": item.kind.value,
        "name": item.name,
        "points": [list(point) for point in item.points],
        "rev": item.rev,
        "by": by,
    }
    journal.append(conn, at_ms, fact, item.camera, body)


def _text(points: Sequence[Point]) -> str:
    return json.dumps([[float(x), float(y)] for x, y in points], separators=(",", ":"))


def _points(text: str) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in json.loads(text))


def _place(row: Row[Any]) -> Place:
    kind = PlaceKind(row.kind)
    return Place(row.id, row.camera, kind, row.name, _points(row.points), row.rev, row.changed_ms)


def _ground(row: Row[Any]) -> GroundPlane:
    (a, b, c, d), (e, f, g, h) = _points(row.points), _points(row.metres)
    return GroundPlane(row.camera, (a, b, c, d), (e, f, g, h), row.rev, row.changed_ms)


def _not_found(word: str) -> BeholdenError:
    return BeholdenError("place_not_found", f"There is no place {word}.", "It may have been removed.")
