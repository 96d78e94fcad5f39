"""Which cameras an account may see, and what it may do with each: camera x action."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from beholden.catalog import Catalog, cameras
from beholden.catalog.users import User, by_id
from beholden.model.access import Action, Role

# Any right makes a camera visible by name and state. What happened there in the past is shown to
# those who may see past pictures of it.
ANY = frozenset(Action) - {Action.CLEAR}
PAST = frozenset({Action.PLAYBACK, Action.STILL})


def may(user: User, camera: int, action: Action) -> bool:
    """Whether this account may do this with this camera; never for a disabled account."""
    if user.disabled:
        return False
    if user.role is Role.ADMIN:
        return True
    return any(grant.action is action and grant.camera in (None, camera) for grant in user.grants)


def may_any(user: User, camera: int, actions: Collection[Action]) -> bool:
    """Whether it may do at least one of these."""
    return any(may(user, camera, action) for action in actions)


def visible(user: User, numbers: Iterable[int], actions: Collection[Action] = ANY) -> set[int]:
    """Those of these cameras with which the account may do at least one of the actions."""
    return {camera for camera in numbers if may_any(user, camera, actions)}


def seen_past(catalog: Catalog, user_id: int) -> set[int]:
    """Cameras, removed ones included, whose past an account may see. Blocks."""
    with catalog.read() as conn:
        user = by_id(conn, user_id)
        known = cameras.names(conn)
    return visible(user, known, PAST) if user is not None else set()
