"""`beholden user list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table
from beholden.model.access import Role

if TYPE_CHECKING:
    from beholden.catalog.users import User


def list_users(data: Data, json: Json = False) -> None:
    """List the accounts and what they may see."""
    from beholden.catalog import cameras, users
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.read() as conn:
        accounts = users.all_users(conn)
        names = cameras.names(conn)
    if json:
        print_json({"users": [_as_json(account) for account in accounts]})
        return
    print_table(
        ("NAME", "ROLE", "PASSWORD", "MAY SEE"),
        (
            (
                account.name,
                account.role + (" (off)" if account.disabled else ""),
                "set" if account.password_hash else "not chosen yet",
                _rights(account, names),
            )
            for account in accounts
        ),
        empty="There are no accounts yet; the first `beholden run` makes one.",
    )


def _as_json(account: User) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "role": account.role.value,
        "has_password": account.password_hash is not None,
        "disabled": account.disabled,
        "grants": [
            {"camera": grant.camera, "action": grant.action.value}
            for grant in sorted(account.grants, key=lambda grant: (grant.camera or 0, grant.action))
        ],
    }


def _rights(account: User, names: dict[int, str]) -> str:
    if account.role is Role.ADMIN:
        return "everything"
    by_camera: dict[str, list[str]] = {}
    for grant in account.grants:
        camera = "all cameras" if grant.camera is None else names.get(grant.camera, f"camera {grant.camera}")
        by_camera.setdefault(camera, []).append(grant.action.value)
    rights = [f"{camera}: {', '.join(sorted(actions))}" for camera, actions in sorted(by_camera.items())]
    return "; ".join(rights) or "nothing"
