"""Rules in the catalog. A rule is tested before it is switched on, and every change is journalled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from beholden.catalog import journal, places, rule_settings
from beholden.catalog.tables import backtest, camera
from beholden.catalog.tables import rule as rule_table
from beholden.model.errors import BeholdenError
from beholden.model.place import GroundPlane, Place
from beholden.model.rule import BODY, Rule, RuleKind, Severity, body_of, from_body

MOST_RULES = 1000  # of one camera
_COLUMNS = ("name", "kind", "place", "enabled", "severity", "min_seconds", "cooldown_seconds")


@dataclass(frozen=True, slots=True)
class Tested:
    """The newest finished back-test of a rule exactly as it is now."""

    backtest: int
    ended_ms: int


def add(conn: Connection, at_ms: int, wanted: Rule, *, by: str, untested: bool = False) -> Rule:
    """Store a new rule (its id and rev are given here). BeholdenError ``bad_name``, ``bad_rule``,
    ``too_many_rules``, ``no_ground_plane``, ``place_not_found``; when it is to be switched on at once also
    ``rule_not_tested`` (unless ``untested``), ``not_analysed`` or ``not_listened_to``."""
    kept = replace(wanted, name=places.checked_name(wanted.name, "rule"), rev=1, changed_ms=at_ms)
    places.check_camera(conn, kept.camera)
    _check(conn, kept)
    query = select(func.count()).where(rule_table.c.camera == kept.camera, rule_table.c.removed_ms.is_(None))
    if conn.execute(query).scalar_one() >= MOST_RULES:
        raise BeholdenError("too_many_rules", f"A camera can have {MOST_RULES} rules.", "Remove some.")
    if kept.enabled:
        _check_perceived(conn, kept)
        if not untested:
            raise _not_tested(kept.name)
    statement = insert(rule_table).values(camera=kept.camera, **_values(kept), rev=1, changed_ms=at_ms)
    kept = replace(kept, id=int(conn.execute(statement.returning(rule_table.c.id)).scalar_one()))
    _journal(conn, at_ms, "rule_added", kept, by, untested)
    return kept


def change(
    conn: Connection,
    at_ms: int,
    rule_id: int,
    changes: Mapping[str, Any],
    *,
    by: str,
    rev: int | None = None,
    untested: bool = False,
) -> Rule:
    """Change some fields by their names in ``model.rule.Rule``. With ``rev``, only when it is still that
    revision: ``changed_meanwhile``. Other errors as ``add``, and ``rule_not_found``.

    Switching on needs a finished back-test of the rule as it then is, or ``untested``; a rule that is on
    already may be changed without.
    """
    old = get(conn, rule_id)
    if rev is not None and rev != old.rev:
        raise places.changed_meanwhile("rule")
    new = replace(old, **changes, rev=old.rev + 1, changed_ms=at_ms)
    new = replace(new, name=places.checked_name(new.name, "rule"))
    if new == replace(old, rev=new.rev):
        return old
    _check(conn, new)
    if new.enabled and not old.enabled:
        _check_perceived(conn, new)
        if not untested and tested(conn, new) is None:
            raise _not_tested(new.name)
    statement = update(rule_table).where(rule_table.c.id == rule_id)
    conn.execute(statement.values(**_values(new), rev=new.rev, changed_ms=at_ms))
    _journal(conn, at_ms, "rule_changed", new, by, untested)
    return new


def remove(conn: Connection, at_ms: int, rule_id: int, by: str) -> None:
    """Remove it; what it reported stays."""
    old = get(conn, rule_id)
    values = {"removed_ms": at_ms, "enabled": False, "rev": old.rev + 1, "changed_ms": at_ms}
    conn.execute(update(rule_table).where(rule_table.c.id == rule_id).values(**values))
    body = {"rule": old.id, "name": old.name, "rev": old.rev + 1, "by": by}
    journal.append(conn, at_ms, "rule_removed", old.camera, body)


def get(conn: Connection, rule_id: int) -> Rule:
    """One; ``rule_not_found``."""
    query = select(rule_table).where(rule_table.c.id == rule_id, rule_table.c.removed_ms.is_(None))
    row = conn.execute(query).first()
    if row is None:
        raise not_found(str(rule_id))
    return _rule(row)


def all_present(conn: Connection) -> list[Rule]:
    """Every rule that was not removed, of cameras that were not, in order of making."""
    query = (
        select(rule_table)
        .join(camera, camera.c.id == rule_table.c.camera)
        .where(rule_table.c.removed_ms.is_(None), camera.c.removed_ms.is_(None))
        .order_by(rule_table.c.id)
    )
    return [_rule(row) for row in conn.execute(query)]


def of_camera(conn: Connection, camera_id: int) -> list[Rule]:
    """A camera's rules."""
    return [item for item in all_present(conn) if item.camera == camera_id]


def enabled(conn: Connection) -> dict[int, list[Rule]]:
    """The rules that are switched on, by camera."""
    found: dict[int, list[Rule]] = {}
    for item in all_present(conn):
        if item.enabled:
            found.setdefault(item.camera, []).append(item)
    return found


def find(conn: Connection, camera_id: int, word: str) -> int:
    """The id of a camera's rule by name or number; ``rule_not_found``."""
    for item in of_camera(conn, camera_id):
        if word in (item.name, str(item.id)):
            return item.id
    raise not_found(word)


def names(conn: Connection) -> dict[int, str]:
    """Names by id, removed ones included."""
    return {row.id: row.name for row in conn.execute(select(rule_table.c.id, rule_table.c.name))}


def revision(conn: Connection) -> tuple[int, ...]:
    """Changes whenever a rule does."""
    query = select(func.count(), func.coalesce(func.sum(rule_table.c.rev), 0)).select_from(rule_table)
    return tuple(conn.execute(query).one())


def sign(rule: Rule, place: Place | None, ground: GroundPlane | None) -> str:
    """A short name for all that decides what a rule reports: equal for equal rules, whatever they are
    called and however urgent they are."""
    drawn = None if place is None else [place.kind.value, place.points]
    plane = None if ground is None or rule.kind is not RuleKind.SPEED else [ground.points, ground.metres]
    parts = [rule.kind.value, rule.min_seconds, rule.cooldown_seconds, body_of(rule), drawn, plane]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def sign_of(conn: Connection, rule: Rule) -> str:
    """The same with its place and plane as they are now."""
    place = places.get(conn, rule.place) if rule.place is not None else None
    return sign(rule, place, places.ground(conn, rule.camera))


def tested(conn: Connection, rule: Rule) -> Tested | None:
    """Whether it was back-tested as it is now."""
    query = (
        select(backtest.c.id, backtest.c.ended_ms)
        .where(backtest.c.rule == rule.id, backtest.c.state == "done", backtest.c.sign == sign_of(conn, rule))
        .order_by(backtest.c.id.desc())
    )
    row = conn.execute(query).first()
    return Tested(row.id, row.ended_ms) if row is not None else None


def as_json(rule: Rule) -> dict[str, Any]:
    """All of it as plain JSON values, for the journal and for back-tests."""
    return {
        "id": rule.id,
        "camera": rule.camera,
        "name": rule.name,
        "kind": rule.kind.value,
        "place": rule.place,
        "enabled": rule.enabled,
        "severity": rule.severity.value,
        "min_seconds": rule.min_seconds,
        "cooldown_seconds": rule.cooldown_seconds,
        "rev": rule.rev,
        **body_of(rule),
    }


def from_json(given: Mapping[str, Any]) -> Rule:
    """What ``as_json`` gave."""
    plain = {
        name: given[name]
        for name in ("id", "camera", "name", "place", "enabled", "min_seconds", "cooldown_seconds", "rev")
    }
    body = from_body({name: given[name] for name in BODY if name in given})
    return Rule(**plain, kind=RuleKind(given["kind"]), severity=Severity(given["severity"]), **body)


def _check(conn: Connection, rule: Rule) -> None:
    place = places.get(conn, rule.place) if rule.place is not None else None
    rule_settings.check(rule, place, places.ground(conn, rule.camera))


def _check_perceived(conn: Connection, rule: Rule) -> None:
    """A rule that is switched on must be able to report: its camera is analysed, or listened to."""
    row = conn.execute(select(camera.c.analyse).where(camera.c.id == rule.camera)).one()
    if row.analyse == "off":
        raise BeholdenError(
            "not_analysed",
            "This camera is not analysed, so no rule of it can report anything.",
            "Switch its analysis on first.",
        )
    check_listened(conn, rule)


def check_listened(conn: Connection, rule: Rule) -> None:
    """BeholdenError ``not_listened_to`` for a rule about sound that nobody has allowed to be listened to."""
    if rule.kind is not RuleKind.SOUND:
        return
    if not conn.execute(select(camera.c.listen).where(camera.c.id == rule.camera)).scalar_one():
        raise BeholdenError(
            "not_listened_to",
            "This camera's sound is not listened to, so a rule about sound cannot report anything.",
            "Switch listening on for the camera first.",
        )


def _values(rule: Rule) -> dict[str, Any]:
    plain = {name: getattr(rule, name) for name in _COLUMNS}
    body = json.dumps(body_of(rule), sort_keys=True, separators=(",", ":"))
    return {**plain, "kind": rule.kind.value, "severity": rule.severity.value, "body": body}


def _rule(row: Row[Any]) -> Rule:
    return Rule(
        id=row.id,
        camera=row.camera,
        name=row.name,
        kind=RuleKind(row.kind),
        place=row.place,
        enabled=row.enabled,
        severity=Severity(row.severity),
        min_seconds=row.min_seconds,
        cooldown_seconds=row.cooldown_seconds,
        rev=row.rev,
        changed_ms=row.changed_ms,
        **from_body(json.loads(row.body)),
    )


def _journal(conn: Connection, at_ms: int, fact: str, rule: Rule, by: str, untested: bool) -> None:
    body = {**as_json(rule), "by": by}
    if rule.enabled and untested:
        body["untested"] = True
    journal.append(conn, at_ms, fact, rule.camera, body)


def _not_tested(name: str) -> BeholdenError:
    return BeholdenError(
        "rule_not_tested",
        f"The rule {name!r} was not tried on recorded footage as it is now.",
        "Back-test it first, or say that you switch it on untested.",
    )


def not_found(word: str) -> BeholdenError:
    """There is none of that name or number."""
    return BeholdenError("rule_not_found", f"There is no rule {word}.", "`beholden rule list` shows them.")
