"""The tables, the same on SQLite and PostgreSQL. Times are epoch milliseconds UTC (``*_ms``).

There is no column for who somebody on film is, and tests/refusal keeps it so.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    false,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

# SQLite only auto-numbers INTEGER primary keys; elsewhere 64 bits are needed.
Big = BigInteger().with_variant(Integer, "sqlite")

site = Table(  # one row: the place this catalog belongs to
    "site",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False),
    Column("name", String(200), nullable=False),
    Column("time_zone", String(64), nullable=False),  # IANA name; all clocks on screen use it
    Column("mode", String(8), nullable=False, server_default="home"),  # model.site.SiteMode
    Column("mode_ms", Big, nullable=False, server_default="0"),  # since when
)

camera = Table(
    "camera",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("main_url", Text, nullable=False),  # never with user information
    Column("sub_url", Text),
    Column("username", String(200), nullable=False, server_default=""),
    Column("password_sealed", LargeBinary),  # AES-GCM under secret.key; None when there is none
    Column("enabled", Boolean, nullable=False),
    Column("record", Boolean, nullable=False),
    Column("record_audio", Boolean, nullable=False),
    Column("analyse", String(16), nullable=False),  # catalog.camera_settings.ANALYSE_CHOICES
    Column("transport", String(8), nullable=False, server_default="auto"),  # model.camera.Transport
    Column("certificate", String(80), nullable=False, server_default="verify"),  # model.camera.CERTIFICATE
    Column("mode", String(16), nullable=False, server_default="continuous"),  # model.camera.RecordingMode
    Column("pre_seconds", Integer, nullable=False, server_default="5"),  # kept before an event
    Column("post_seconds", Integer, nullable=False, server_default="10"),  # kept after an event
    Column("keep_days", Float, nullable=False),
    Column("keep_event_days", Float),  # longer keep of parts with events; None: as everything else
    Column("max_days", Float),  # hard maximum age: only a hold outlives it
    Column("max_bytes", Big),  # its oldest footage leaves beyond it
    Column("memory_bytes", Big),  # bound of its memory in the recorder; None: the default
    Column("listen", Boolean, nullable=False, server_default=false()),  # sound levels, never words
    Column(
        "detect_main", Boolean, nullable=False, server_default=false()
    ),  # main keyframes are looked at too
    Column("shard", Integer, nullable=False),  # the recorder process it lives in; never moves by itself
    Column("rev", Integer, nullable=False),  # rises with every change, so that readers can poll cheaply
    Column("created_ms", Big, nullable=False),
    Column("removed_ms", Big),  # set while its footage is still kept; the id is never used again
    CheckConstraint("analyse in ('balanced', 'always', 'keyframes', 'off')", name="analyse"),
    sqlite_autoincrement=True,  # ids name folders, so they are never given twice
)
Index(
    "uq_camera_name_present",
    camera.c.name,
    unique=True,
    sqlite_where=camera.c.removed_ms.is_(None),
    postgresql_where=camera.c.removed_ms.is_(None),
)

recording_window = Table(  # when a camera in mode "schedule" records, in site time
    "recording_window",
    metadata,
    Column("camera", Integer, primary_key=True),
    Column("weekday", SmallInteger, primary_key=True),  # 0 is Monday
    Column("from_minute", SmallInteger, primary_key=True),  # of the day by the wall clock
    Column("to_minute", SmallInteger, nullable=False),  # exclusive; 1440 is midnight
    Column("mode", String(16), nullable=False),  # continuous | events
)

hold = Table(  # a range retention may not cross until it is released; rows stay as its history
    "hold",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("camera", Integer),  # None: every camera
    Column("from_ms", Big, nullable=False),
    Column("to_ms", Big, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_ms", Big, nullable=False),
    Column("created_by", String(80), nullable=False),
    Column("released_ms", Big),
    Column("released_by", String(80)),
    sqlite_autoincrement=True,
)

volume = Table(  # a storage directory; `uuid` must equal the one in its identity file
    "volume",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("path", Text, nullable=False, unique=True),
    Column("floor_bytes", Big, nullable=False),  # free space that retention keeps on its file system
    Column("tier", Integer, nullable=False, server_default="0"),  # 0 is where recorders write, then slower
    Column("limit_bytes", Big),  # footage on it is held to this; None: the floor alone
    Column("move_after_days", Float),  # older footage moves to the next tier; None: never by age
    Column(
        "sync_seconds", Float, nullable=False, server_default="0.5"
    ),  # files being written are synced so often
)

media_format = Table(  # init segments, once each: what a decoder needs before the first fragment
    "media_format",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sha256", LargeBinary(32), nullable=False, unique=True),
    Column("init", LargeBinary, nullable=False),  # ftyp+moov exactly as at the head of the files
    Column("video_codec", String(8), nullable=False),
    Column("video_codec_string", String(40), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("audio_codec", String(8)),
    Column("audio_codec_string", String(40)),
    Column("audio_rate", Integer),
)

segment = Table(  # one row a recorded file; the path derives from the key (model.segment.SegmentKey)
    "segment",
    metadata,
    Column("camera", Integer, primary_key=True),
    Column("stream", SmallInteger, primary_key=True),
    Column("start_ms", Big, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("end_ms", Big, nullable=False),
    Column("size", Big, nullable=False),
    Column("volume", SmallInteger, nullable=False),
    Column("format", Integer, ForeignKey("media_format.id"), nullable=False),
    Column("repaired", Boolean, nullable=False),  # indexed at a start, after a crash
    Column("sha256", LargeBinary(32), nullable=False),
    Column("fragments", LargeBinary, nullable=False),  # model.segment.pack_fragments
    sqlite_with_rowid=False,
)

leaving = Table(  # files marked before they are unlinked (recorder rule 6), by ranges of their keys
    "leaving",
    metadata,
    Column("volume", SmallInteger, primary_key=True),
    Column("camera", Integer, primary_key=True),
    Column("stream", SmallInteger, primary_key=True),
    Column("from_ms", Big, primary_key=True),  # with the epoch: the key of the first file
    Column("from_epoch", Integer, primary_key=True),
    Column("to_ms", Big, nullable=False),  # of the last one, which leaves too
    Column("to_epoch", Integer, nullable=False),
    Column("reason", String(24), nullable=False),  # model.deletion.Reason, for the facts when they are gone
    Column("at_ms", Big, nullable=False),
    sqlite_with_rowid=False,
)

span = Table(  # one row an unbroken run of kept footage; its end moves forward as segments close
    "span",
    metadata,
    Column("camera", Integer, primary_key=True),
    Column("stream", SmallInteger, primary_key=True),
    Column("start_ms", Big, primary_key=True),
    Column("end_ms", Big, nullable=False),
    sqlite_with_rowid=False,
)

gap = Table(  # a stretch without footage; end_ms is None while it lasts
    "gap",
    metadata,
    Column("camera", Integer, primary_key=True),
    Column("stream", SmallInteger, primary_key=True),
    Column("start_ms", Big, primary_key=True),
    Column("end_ms", Big),
    Column("cause", String(24), nullable=False),  # model.gap.GapCause
    Column("detail", Text, nullable=False),
    sqlite_with_rowid=False,
)

usage_day = Table(  # roll-up in the same transaction as the segments: never SUM over segments
    "usage_day",
    metadata,
    Column("camera", Integer, primary_key=True),
    Column("stream", SmallInteger, primary_key=True),
    Column("day", Integer, primary_key=True),  # start_ms // 86 400 000
    Column("volume", SmallInteger, primary_key=True),
    Column("bytes", Big, nullable=False),
    Column("footage_ms", Big, nullable=False),
    Column("segments", Integer, nullable=False),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    metadata,
    Column("id", Big, primary_key=True),
    Column("camera", Integer, nullable=False),
    Column("kind", String(16), nullable=False),  # model.event.EventKind
    Column("start_ms", Big, nullable=False),
    Column("end_ms", Big),  # None while it lasts
    Column("score", Float, nullable=False),
    Column("box_left", Float, nullable=False),
    Column("box_top", Float, nullable=False),
    Column("box_right", Float, nullable=False),
    Column("box_bottom", Float, nullable=False),
    Column("still_ms", Big, nullable=False),
    Column("still_size", Integer, nullable=False),  # bytes; 0 until stored
    Column("reviewed_ms", Big),
    Column("reviewed_by", Integer),
    Column("rule", Integer),  # that reported it; None: an object was in view
    Column("what", String(16)),  # the rule's kind then: model.rule.RuleKind
    Column("place", Integer),
    Column("severity", String(8), nullable=False, server_default="note"),  # model.rule.Severity
    Column("detail", Text),  # JSON: what was measured, e.g. a speed
    Index(None, "camera", "start_ms"),
    Index(None, "start_ms"),
    Index(None, "kind", "start_ms"),
    Index(None, "rule", "start_ms"),
    sqlite_autoincrement=True,
)

place = Table(  # drawn on a camera's picture: zones, lines, masks
    "place",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("camera", Integer, nullable=False, index=True),
    Column("kind", String(8), nullable=False),  # model.place.PlaceKind
    Column("name", String(100), nullable=False),
    Column("points", Text, nullable=False),  # JSON [[x, y], ...], 0..1
    Column("rev", Integer, nullable=False),
    Column("changed_ms", Big, nullable=False),
    Column("removed_ms", Big),  # kept, so that what was reported of it still has a name
    sqlite_autoincrement=True,
)

ground_plane = Table(  # four points of the ground and where they lie
    "ground_plane",
    metadata,
    Column("camera", Integer, primary_key=True),
    Column("points", Text, nullable=False),
    Column("metres", Text, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("changed_ms", Big, nullable=False),
)

rule = Table(
    "rule",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("camera", Integer, nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("kind", String(16), nullable=False),  # model.rule.RuleKind
    Column("place", Integer),
    Column("enabled", Boolean, nullable=False),
    Column("severity", String(8), nullable=False),  # model.rule.Severity
    Column("min_seconds", Float, nullable=False),
    Column("cooldown_seconds", Float, nullable=False),
    Column("body", Text, nullable=False),  # JSON: model.rule.body_of
    Column("rev", Integer, nullable=False),
    Column("changed_ms", Big, nullable=False),
    Column("removed_ms", Big),
    sqlite_autoincrement=True,
)

verdict = Table(  # what people said of events, and what they say was missed; outlives its event
    "verdict",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("camera", Integer, nullable=False),
    Column("event", Big, unique=True),  # None: missed
    Column("rule", Integer),
    Column("kind", String(16), nullable=False),
    Column("verdict", String(8), nullable=False),  # model.verdict.Verdict
    Column("at_ms", Big, nullable=False),  # when it happened
    Column("box_left", Float),  # of what was missed
    Column("box_top", Float),
    Column("box_right", Float),
    Column("box_bottom", Float),
    Column("marked_ms", Big, nullable=False),
    Column("marked_by", String(80), nullable=False),
    Index(None, "camera", "at_ms"),
    sqlite_autoincrement=True,
)

event_hour = Table(  # roll-up in the same transaction as the events; outlives them
    "event_hour",
    metadata,
    Column("camera", Integer, primary_key=True),
    Column("hour", Integer, primary_key=True),  # start_ms // 3 600 000
    Column("kind", String(16), primary_key=True),
    Column("rule", Integer, primary_key=True),  # 0: objects in view, whatever rules say
    Column("events", Integer, nullable=False),
    sqlite_with_rowid=False,
)

line_hour = Table(  # what crossed each line, whether or not a rule asks for it
    "line_hour",
    metadata,
    Column("place", Integer, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("went_in", Integer, nullable=False),
    Column("went_out", Integer, nullable=False),
    sqlite_with_rowid=False,
)

backtest = Table(  # a rule, or a model, tried on recorded days
    "backtest",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("camera", Integer, nullable=False, index=True),
    Column("rule", Integer),  # the stored rule it tries; None: a draft, or every object in view
    Column("trial", Text, nullable=False),  # JSON: rule, places, ground, model, as they were when asked for
    Column("sign", String(16), nullable=False),  # of what decides; catalog.rules.sign
    Column("from_ms", Big, nullable=False),
    Column("to_ms", Big, nullable=False),
    Column("state", String(12), nullable=False),  # model.backtest.BacktestState
    Column("source", String(8), nullable=False, server_default=""),  # boxes | decode
    Column("done_ms", Big, nullable=False),  # footage up to here is done
    Column("footage_ms", Big, nullable=False, server_default="0"),  # how much of it there was
    Column("work_ms", Big, nullable=False, server_default="0"),  # how long that took
    Column("beat_ms", Big),  # when its worker last said that it lives
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_ms", Big, nullable=False),
    Column("created_by", String(80), nullable=False),
    Column("ended_ms", Big),
    sqlite_autoincrement=True,
)

backtest_event = Table(
    "backtest_event",
    metadata,
    Column("backtest", Integer, ForeignKey("backtest.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("start_ms", Big, nullable=False),
    Column("end_ms", Big, nullable=False),
    Column("score", Float, nullable=False),
    Column("box_left", Float, nullable=False),
    Column("box_top", Float, nullable=False),
    Column("box_right", Float, nullable=False),
    Column("box_bottom", Float, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_with_rowid=False,
)

user = Table(
    "user_account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("role", String(16), nullable=False),  # model.access.Role
    Column("password_hash", Text),  # Argon2id; None until chosen
    Column("created_ms", Big, nullable=False),
    Column("disabled", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

user_grant = Table(  # rights are camera x action; camera None means every camera
    "user_grant",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("camera", Integer),
    Column("action", String(16), nullable=False),  # model.access.Action
)

session = Table(  # server-side and revocable; only a hash of the cookie is kept
    "session",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False),
    Column("created_ms", Big, nullable=False),
    Column("last_seen_ms", Big, nullable=False),
    Column("expires_ms", Big, nullable=False),
    Column("ip", String(45), nullable=False),
    Column("agent", String(300), nullable=False),
    Column("revoked_ms", Big),
    sqlite_autoincrement=True,
)

sign_in_link = Table(  # one-time; only a hash of the token is kept
    "sign_in_link",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("user_id", Integer, ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False),
    Column("expires_ms", Big, nullable=False),
    Column("used_ms", Big),
)

look = Table(  # append-only: every act of viewing, written before the first byte leaves
    "look",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at_ms", Big, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("user_name", String(80), nullable=False),  # as it was then
    Column("session_id", Integer),
    Column("ip", String(45), nullable=False),
    Column("camera", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("from_ms", Big, nullable=False),
    Column("to_ms", Big),  # None for live
    Column("what", Text, nullable=False),  # e.g. "main stream", "event 12 still"
    Index(None, "camera", "at_ms"),
    Index(None, "user_id", "at_ms"),
    sqlite_autoincrement=True,
)

journal = Table(  # append-only: every fact about footage, in the transaction of the fact
    "journal",
    metadata,
    Column("seq", Big, primary_key=True),
    Column("at_ms", Big, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("camera", Integer),
    Column("body", Text, nullable=False),  # canonical JSON: sorted keys, no spaces
    Index(None, "camera", "seq"),
    sqlite_autoincrement=True,
)

APPEND_ONLY = ("look", "journal")
