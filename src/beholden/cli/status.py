"""`beholden status`."""

from __future__ import annotations

from beholden.cli.options import Data, Json
from beholden.cli.output import duration, print_json, print_table, say, size


def status(data: Data, json: Json = False) -> None:
    """Say how cameras and roles are."""
    from beholden.cli.opening import log_to_stderr
    from beholden.run import health

    log_to_stderr()
    found = health.status(data)
    if json:
        print_json(found)
        return
    say(
        {"ok": "All is well.", "degraded": "Something needs attention.", "stopped": "Not running."}[
            found["status"]
        ]
    )
    print_table(
        ("", "CAMERA", "STATE", "LAST PICTURE", "KEPT", "SIZE", "GAPS", "WHY"),
        (
            (
                str(row["id"]),
                row["name"],
                row["state"],
                _age(row["last_fragment_age_seconds"]),
                duration(row["kept_seconds"]),
                size(row["bytes"]),
                str(row["gaps"]),
                f"{row['reason']} {row['next_step']}".strip() or "-",
            )
            for row in found["cameras"]
        ),
        empty="There are no cameras yet; `beholden camera add NAME RTSP_URL` adds one.",
    )
    if found["roles"]:
        say("")
        print_table(
            ("ROLE", "STATE", "PID", "RESTARTS", "LAST END"),
            (
                (
                    role["role"] if role["shard"] is None else f"{role['role']} {role['shard']}",
                    role["state"],
                    str(role["pid"] or "-"),
                    str(role["restarts"]),
                    role["reason"] or "-",
                )
                for role in found["roles"]
            ),
            empty="",
        )


def _age(seconds: float | None) -> str:
    return "never" if seconds is None else f"{duration(seconds)} ago"
