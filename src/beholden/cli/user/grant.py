"""`beholden user grant`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data, UserName
from beholden.cli.output import say
from beholden.model.errors import BeholdenError

ALL = "all"


def grant(
    data: Data,
    name: UserName,
    camera: Annotated[
        list[str], typer.Option("--camera", metavar="CAMERA", help="A camera by name or number, or 'all'.")
    ],
    action: Annotated[
        list[str] | None,
        typer.Option(
            "--action",
            help="live, playback, still, download, or clear (people in stills are not blurred); without it, "
            "all but clear.",
        ),
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take these rights away.")] = False,
) -> None:
    """Let an account see cameras, or no longer. It takes effect at once."""
    from beholden.catalog import cameras, users
    from beholden.catalog.users import Grant
    from beholden.cli import opening
    from beholden.cli.user.account import find
    from beholden.model.access import Action

    unknown = [word for word in action or [] if word not in list(Action)]
    if unknown:
        raise BeholdenError(
            "bad_action", f"{unknown[0]!r} is not an action.", f"Choose of {', '.join(Action)}."
        )
    every = set(Action) if revoke else set(Action) - {Action.CLEAR}
    actions = {Action(word) for word in action} if action else every
    with opening.existing(data) as site, site.catalog.write() as conn:
        account = find(conn, name)
        ids = [None if word == ALL else cameras.find(conn, word) for word in camera]
        chosen = {Grant(camera_id, each) for camera_id in ids for each in actions}
        grants = account.grants - chosen if revoke else account.grants | chosen
        users.set_grants(conn, account.id, frozenset(grants))
    say(f"{account.name} has {len(grants)} rights now; `beholden user list` shows them.")
