"""The tree of commands. Modules of commands import what they need when they run, so that help is quick."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

import typer

from beholden.cli import card, check, events, run_command, status, verdict, version
from beholden.cli.backtest import cancel as backtest_cancel
from beholden.cli.backtest import list_command as backtest_list
from beholden.cli.backtest import run_command as backtest_run
from beholden.cli.backtest import show as backtest_show
from beholden.cli.camera import add as camera_add
from beholden.cli.camera import change as camera_change
from beholden.cli.camera import list_command as camera_list
from beholden.cli.camera import remove as camera_remove
from beholden.cli.camera import try_command as camera_test
from beholden.cli.hold import add as hold_add
from beholden.cli.hold import list_command as hold_list
from beholden.cli.hold import release as hold_release
from beholden.cli.model import check as model_check
from beholden.cli.place import add as place_add
from beholden.cli.place import change as place_change
from beholden.cli.place import ground as place_ground
from beholden.cli.place import list_command as place_list
from beholden.cli.place import remove as place_remove
from beholden.cli.rule import add as rule_add
from beholden.cli.rule import change as rule_change
from beholden.cli.rule import list_command as rule_list
from beholden.cli.rule import remove as rule_remove
from beholden.cli.rule import switch as rule_switch
from beholden.cli.site import mode as site_mode
from beholden.cli.user import add as user_add
from beholden.cli.user import grant as user_grant
from beholden.cli.user import link as user_link
from beholden.cli.user import list_command as user_list
from beholden.cli.user import password as user_password
from beholden.cli.user import remove as user_remove
from beholden.cli.volume import add as volume_add
from beholden.cli.volume import change as volume_change
from beholden.cli.volume import confirm as volume_confirm
from beholden.cli.volume import list_command as volume_list
from beholden.model.errors import BeholdenError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_PLAIN = {"no_args_is_help": True, "add_completion": False, "rich_markup_mode": None}

app = typer.Typer(
    name="beholden",
    help="An open, self-hosted video security system that identifies no one.",
    pretty_exceptions_enable=False,
    **_PLAIN,  # type: ignore[arg-type]
)
camera = typer.Typer(help="Add, test, change and remove cameras.", **_PLAIN)  # type: ignore[arg-type]
model = typer.Typer(help="Models that detect.", **_PLAIN)  # type: ignore[arg-type]
user = typer.Typer(help="Accounts and what they may see.", **_PLAIN)  # type: ignore[arg-type]
volume = typer.Typer(help="Storage directories, their tiers and limits.", **_PLAIN)  # type: ignore[arg-type]
hold = typer.Typer(help="Footage that no rule may delete.", **_PLAIN)  # type: ignore[arg-type]
site = typer.Typer(help="Whether people are expected.", **_PLAIN)  # type: ignore[arg-type]
place = typer.Typer(help="Zones, lines and masks on pictures.", **_PLAIN)  # type: ignore[arg-type]
rule = typer.Typer(help="What cameras report.", **_PLAIN)  # type: ignore[arg-type]
backtest = typer.Typer(help="Rules tried on recorded days.", **_PLAIN)  # type: ignore[arg-type]

app.command("run")(run_command.run)
app.add_typer(camera, name="camera")
camera.command("add")(camera_add.add)
camera.command("list")(camera_list.list_cameras)
camera.command("test")(camera_test.try_camera)
camera.command("change")(camera_change.change)
camera.command("remove")(camera_remove.remove)
app.add_typer(model, name="model")
model.command("check")(model_check.check)
app.add_typer(user, name="user")
user.command("add")(user_add.add)
user.command("list")(user_list.list_users)
user.command("password")(user_password.password)
user.command("link")(user_link.link)
user.command("grant")(user_grant.grant)
user.command("remove")(user_remove.remove)
app.add_typer(volume, name="volume")
volume.command("add")(volume_add.add)
volume.command("list")(volume_list.list_volumes)
volume.command("change")(volume_change.change)
volume.command("confirm")(volume_confirm.confirm)
app.add_typer(hold, name="hold")
hold.command("add")(hold_add.add)
hold.command("list")(hold_list.list_holds)
hold.command("release")(hold_release.release)
app.add_typer(site, name="site")
site.command("mode")(site_mode.mode)
app.add_typer(place, name="place")
place.command("add")(place_add.add)
place.command("list")(place_list.list_places)
place.command("change")(place_change.change)
place.command("remove")(place_remove.remove)
place.command("ground")(place_ground.ground)
app.add_typer(rule, name="rule")
rule.command("add")(rule_add.add)
rule.command("list")(rule_list.list_rules)
rule.command("change")(rule_change.change)
rule.command("on")(rule_switch.on)
rule.command("off")(rule_switch.off)
rule.command("remove")(rule_remove.remove)
app.add_typer(backtest, name="backtest")
backtest.command("run")(backtest_run.run)
backtest.command("list")(backtest_list.list_backtests)
backtest.command("show")(backtest_show.show)
backtest.command("cancel")(backtest_cancel.cancel)
app.command("verdict")(verdict.verdict)
app.command("card")(card.card)
app.command("status")(status.status)
app.command("events")(events.events)
app.command("check")(check.check)
app.command("version")(version.version)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    _hide_passwords(arguments)
    try:
        app(list(arguments))
    except BeholdenError as error:
        print(str(error), file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (head, a pager) has enough. Python would complain at its exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else EXIT_FAILED
    return 0


def _hide_passwords(arguments: Sequence[str]) -> None:
    """Take an address with a password out of the process list as soon as we can."""
    if any("://" in word and "@" in word for word in arguments):
        import setproctitle

        setproctitle.setproctitle("beholden")
