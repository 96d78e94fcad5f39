"""How cameras are spoken to and when they record; keeping by size, by event and by hold; tiers of storage."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("camera", sa.Column("transport", sa.String(8), nullable=False, server_default="auto"))
    op.add_column("camera", sa.Column("certificate", sa.String(80), nullable=False, server_default="verify"))
    op.add_column("camera", sa.Column("mode", sa.String(16), nullable=False, server_default="continuous"))
    op.add_column("camera", sa.Column("pre_seconds", sa.Integer(), nullable=False, server_default="5"))
    op.add_column("camera", sa.Column("post_seconds", sa.Integer(), nullable=False, server_default="10"))
    op.add_column("camera", sa.Column("keep_event_days", sa.Float()))
    op.add_column("camera", sa.Column("max_days", sa.Float()))
    op.add_column("camera", sa.Column("max_bytes", BIG))
    op.add_column("camera", sa.Column("memory_bytes", BIG))

    with op.batch_alter_table("camera", table_kwargs={"sqlite_autoincrement": True}) as camera:
        camera.drop_constraint(op.f("ck_camera_analyse"), type_="check")
        camera.create_check_constraint(
            op.f("ck_camera_analyse"), "analyse in ('balanced', 'always', 'keyframes', 'off')"
        )

    op.add_column("volume", sa.Column("tier", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("volume", sa.Column("limit_bytes", BIG))
    op.add_column("volume", sa.Column("move_after_days", sa.Float()))
    op.add_column("volume", sa.Column("sync_seconds", sa.Float(), nullable=False, server_default="0.5"))

    op.add_column("segment", sa.Column("leaving_ms", BIG))
    op.add_column("segment", sa.Column("leaving_reason", sa.String(24)))
    op.create_index(
        "ix_segment_leaving",
        "segment",
        ["leaving_ms"],
        sqlite_where=sa.text("leaving_ms IS NOT NULL"),
        postgresql_where=sa.text("leaving_ms IS NOT NULL"),
    )

    op.create_table(
        "recording_window",
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("from_minute", sa.SmallInteger(), nullable=False),
        sa.Column("to_minute", sa.SmallInteger(), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("camera", "weekday", "from_minute", name=op.f("pk_recording_window")),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.Integer()),
        sa.Column("from_ms", BIG, nullable=False),
        sa.Column("to_ms", BIG, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.Column("released_ms", BIG),
        sa.Column("released_by", sa.String(80)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    raise NotImplementedError("catalogs are only upgraded")
