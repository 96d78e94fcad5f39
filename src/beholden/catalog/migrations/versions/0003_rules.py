"""Places, rules and the site's mode; what people said of events; roll-ups; back-tests."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("site", sa.Column("mode", sa.String(8), nullable=False, server_default="home"))
    op.add_column("site", sa.Column("mode_ms", BIG, nullable=False, server_default="0"))
    _extend_events()
    _make_places_and_rules()
    _make_verdicts()
    _make_rollups()
    _make_backtests()


def downgrade() -> None:
    raise NotImplementedError("catalogs are only upgraded")


def _extend_events() -> None:
    op.add_column("event", sa.Column("rule", sa.Integer()))
    op.add_column("event", sa.Column("what", sa.String(16)))
    op.add_column("event", sa.Column("place", sa.Integer()))
    op.add_column("event", sa.Column("severity", sa.String(8), nullable=False, server_default="note"))
    op.add_column("event", sa.Column("detail", sa.Text()))
    op.create_index(op.f("ix_event_rule_start_ms"), "event", ["rule", "start_ms"])


def _make_places_and_rules() -> None:
    op.create_table(
        "place",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("points", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("changed_ms", BIG, nullable=False),
        sa.Column("removed_ms", BIG),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_place_camera"), "place", ["camera"])
    op.create_table(
        "ground_plane",
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("points", sa.Text(), nullable=False),
        sa.Column("metres", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("changed_ms", BIG, nullable=False),
        sa.PrimaryKeyConstraint("camera", name=op.f("pk_ground_plane")),
    )
    op.create_table(
        "rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("place", sa.Integer()),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("min_seconds", sa.Float(), nullable=False),
        sa.Column("cooldown_seconds", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("changed_ms", BIG, nullable=False),
        sa.Column("removed_ms", BIG),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_rule_camera"), "rule", ["camera"])


def _make_verdicts() -> None:
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("event", BIG),
        sa.Column("rule", sa.Integer()),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
        sa.Column("box_left", sa.Float()),
        sa.Column("box_top", sa.Float()),
        sa.Column("box_right", sa.Float()),
        sa.Column("box_bottom", sa.Float()),
        sa.Column("marked_ms", BIG, nullable=False),
        sa.Column("marked_by", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
        sa.UniqueConstraint("event", name=op.f("uq_verdict_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_verdict_camera_at_ms"), "verdict", ["camera", "at_ms"])


def _make_rollups() -> None:
    op.create_table(
        "event_hour",
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("camera", "hour", "kind", "rule", name=op.f("pk_event_hour")),
        sqlite_with_rowid=False,
    )
    # What was seen before there were roll-ups belongs in them too.
    op.execute(
        "insert into event_hour (camera, hour, kind, rule, events) "
        "select camera, start_ms / 3600000, kind, 0, count(*) from event group by 1, 2, 3"
    )
    op.create_table(
        "line_hour",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("went_in", sa.Integer(), nullable=False),
        sa.Column("went_out", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("place", "hour", "kind", name=op.f("pk_line_hour")),
        sqlite_with_rowid=False,
    )


def _make_backtests() -> None:
    op.create_table(
        "backtest",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Integer()),
        sa.Column("trial", sa.Text(), nullable=False),
        sa.Column("sign", sa.String(16), nullable=False),
        sa.Column("from_ms", BIG, nullable=False),
        sa.Column("to_ms", BIG, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("source", sa.String(8), nullable=False, server_default=""),
        sa.Column("done_ms", BIG, nullable=False),
        sa.Column("footage_ms", BIG, nullable=False, server_default="0"),
        sa.Column("work_ms", BIG, nullable=False, server_default="0"),
        sa.Column("beat_ms", BIG),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.Column("ended_ms", BIG),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backtest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_backtest_camera"), "backtest", ["camera"])
    op.create_table(
        "backtest_event",
        sa.Column("backtest", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("start_ms", BIG, nullable=False),
        sa.Column("end_ms", BIG, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("box_left", sa.Float(), nullable=False),
        sa.Column("box_top", sa.Float(), nullable=False),
        sa.Column("box_right", sa.Float(), nullable=False),
        sa.Column("box_bottom", sa.Float(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("backtest", "seq", name=op.f("pk_backtest_event")),
        sa.ForeignKeyConstraint(
            ["backtest"],
            ["backtest.id"],
            name=op.f("fk_backtest_event_backtest_backtest"),
            ondelete="CASCADE",
        ),
        sqlite_with_rowid=False,
    )
