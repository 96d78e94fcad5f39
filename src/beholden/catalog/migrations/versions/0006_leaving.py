"""Files that leave are marked by ranges in a table of their own, not in their wide rows."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "leaving",
        sa.Column("volume", sa.SmallInteger(), nullable=False),
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("stream", sa.SmallInteger(), nullable=False),
        sa.Column("from_ms", BIG, nullable=False),
        sa.Column("from_epoch", sa.Integer(), nullable=False),
        sa.Column("to_ms", BIG, nullable=False),
        sa.Column("to_epoch", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(24), nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "volume", "camera", "stream", "from_ms", "from_epoch", name=op.f("pk_leaving")
        ),
        sqlite_with_rowid=False,
    )
    op.execute(
        "insert into leaving"
        " select volume, camera, stream, start_ms, epoch, start_ms, epoch, leaving_reason, leaving_ms"
        " from segment where leaving_ms is not null"
    )
    op.drop_index("ix_segment_leaving", "segment")
    op.drop_column("segment", "leaving_ms")
    op.drop_column("segment", "leaving_reason")


def downgrade() -> None:
    raise NotImplementedError("catalogs are only upgraded")
