"""The database: every table, those of rollouts, trainings, events and sums beside it; the revisions in
`migrations/` lead to it.

Times are seconds since 1970 (REAL) unless a name says otherwise.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# Whoever wants all tables gets these, too.
from cloud_server.storage import console_tables, event_tables, rollout_tables, sum_tables, training_tables  # noqa: F401
from cloud_server.storage.metadata import metadata, sums_of

__all__ = ["metadata"]

claims = Table(
    "claims",
    metadata,
    Column("code_sha256", LargeBinary(32), primary_key=True),
    Column("family", String(63), nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
)

devices = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", String(16), nullable=False, unique=True),
    Column("family", String(63), nullable=False),
    Column("token_sha256", LargeBinary(32), nullable=False, unique=True),
    Column("enrolled_at", Double, nullable=False),
    Column("last_seen_at", Double),
    Column("last_tables", String(16)),
    Column("claim_sha256", LargeBinary(32), index=True, unique=True),
    Column("secret_sha256", LargeBinary(32)),
    Column("revoked_at", Double, index=True),
    Column("forgotten_at", Double, index=True),  # its data are gone, and the row keeps its id from coming back
    Column("suspected_clone_at", Double),
    Column("suspected_clone_why", String(16)),
    Column("expired_sequence", BigInteger),  # the highest number whose answer was deleted for its age
    Column("name", String(64)),
    Column("emptied_at", Double),  # of a forgotten device: since when its data are gone
)

device_tags = Table(
    "device_tags",
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("tag", String(64), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

# The last heartbeat of each device, `document` as it came; `boots` is a JSON list, see `fleet.clones`. `trial_since` is
# when the first of the heartbeats in a row came that named `trial_target` as on trial.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("received_at", Double, nullable=False),
    Column("program", String(64), nullable=False),
    Column("outcome", String(16)),
    Column("is_stale", Boolean, nullable=False),
    Column("boots", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("trial_target", String(80)),
    Column("trial_since", Double),
)

assignment_events = Table(
    "assignment_events",
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("event", String(16), primary_key=True),
    Column("target", String(80), primary_key=True),
    Column("code", String(64)),
    Column("reason", String(500)),
    Column("received_at", Double, nullable=False, index=True),
    sqlite_with_rowid=False,
)

bundles = Table(
    "bundles",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("counter", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("registered_at", Double, nullable=False),
)

fallbacks = Table(
    "fallbacks",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("family", String(63), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("registered_at", Double, nullable=False),
)

# The fallback that answers a family's frames; a family without a row has none.
released_fallbacks = Table(
    "released_fallbacks",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("name", String(80), ForeignKey("fallbacks.name"), nullable=False),
    Column("released_at", Double, nullable=False),
)

# What operators set for a family's devices, or for those that have `tag`; `data` are canonical bytes. What holds has no
# `ended_at`. Rows stay, so that no counter comes twice.
device_settings = Table(
    "device_settings",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("counter", Integer, primary_key=True),
    Column("tag", String(64)),
    Column("data", LargeBinary, nullable=False),
    Column("set_at", Double, nullable=False),
    Column("ended_at", Double),
)

# Which devices were asked for diagnostics, and what they sent: few, small, and deleted after a week.
diagnostics = Table(
    "diagnostics",
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("request", String(16), primary_key=True),
    Column("asked_at", Double, nullable=False, index=True),
    Column("answered_at", Double),
    Column("archive", LargeBinary),
    sqlite_with_rowid=False,
)

tuf_files = Table(
    "tuf_files",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

# One TUF repository a family; `renew_at` says when its snapshot or timestamp are to be signed anew.
tuf_families = Table(
    "tuf_families",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("timestamp_version", BigInteger, nullable=False),
    Column("renew_at", Double, nullable=False, index=True),
    Column("expires_at", Double, nullable=False),
    Column("targets_expire_at", Double, nullable=False),
    Column("listed", Text),  # the target paths that its targets metadata list, one a line
    Column("floor", BigInteger, nullable=False, server_default="0"),
)

# What a family's devices should run (no `device_id`), and what one device is held at until `ended_at`. What a rollout
# leads devices to has no `device_id` either, and the kind `rollout` until it is complete: then it is the family's.
assignments = Table(
    "assignments",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("seq", BigInteger, CheckConstraint("seq >= 1", name="seq"), primary_key=True),
    Column("counter", Integer),
    Column("assigned_at", Double, nullable=False),
    Column("device_id", Integer, ForeignKey("devices.id"), index=True),
    Column("kind", String(10)),
    Column("reason", String(200)),
    Column("ended_at", Double),
)

results = Table(
    "results",
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("label", String, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("model", String(80), nullable=False),
    Column("match", String(8), nullable=False),
    Column("tables", String(16), nullable=False),
    Column("received_at_ns", BigInteger, nullable=False, index=True),
    Column("scan_digest", BigInteger),
    Column("kind", String(8)),  # of a companion; the row of an ordinary frame has neither
    Column("companion_of", BigInteger),
    sqlite_with_rowid=False,
)

# Companions are few among frames, and looked for where a rollout's bundles are compared.
Index(
    "results_of_companions",
    results.c.received_at_ns,
    sqlite_where=results.c.kind.is_not(None),
    postgresql_where=results.c.kind.is_not(None),
)

labels = Table(
    "labels",
    metadata,
    Column("device_id", Integer, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("label", String(128), nullable=False),
    Column("source", String(8), nullable=False),
    Column("authority", Integer, nullable=False),
    Column("is_correct", Boolean, nullable=False),
    Column("is_foreign", Boolean, nullable=False),
    Column("labelled_at", Double, nullable=False, index=True),
    Column("labelled_by", String(64), nullable=False),
    ForeignKeyConstraint(["device_id", "sequence"], ["results.device_id", "results.sequence"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)

# Who of those that review looks at which frame, until when nobody else is shown it, and what that person did last: one
# row a frame. `previous` is the label that theirs took the place of, as JSON; see `rows.reviews`.
reviews = Table(
    "reviews",
    metadata,
    Column("device_id", Integer, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("until", Double, nullable=False),
    Column("did", String(8)),
    Column("did_at", Double),
    Column("previous", Text),
    Column("was_undone", Boolean, nullable=False),
    ForeignKeyConstraint(["device_id", "sequence"], ["results.device_id", "results.sequence"], ondelete="CASCADE"),
    Index("reviews_by_operator", "operator", "did_at"),
    sqlite_with_rowid=False,
)

# Which JPEG files of samples there are, and whether anybody needs them; see `rows.sample_files`.
sample_files = Table(
    "sample_files",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("bytes", Integer, nullable=False),
    Column("sweep_at", Double, index=True),
    Column("is_doomed", Boolean, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("family", String(63), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("sha256", String(64), ForeignKey("sample_files.sha256"), nullable=False, index=True),
    Column("stored_at", Double, nullable=False, index=True),
    ForeignKeyConstraint(["device_id", "sequence"], ["results.device_id", "results.sequence"]),
    UniqueConstraint("device_id", "sequence"),
    Index("samples_by_reason", "family", "reason", "stored_at"),
)

# What a device's answered uploads cost on a day (since 1970, UTC); see `fleet.traffic`.
device_days = Table(
    "device_days",
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("day", Integer, primary_key=True, index=True),
    *sums_of("frames", "payload_bytes", "http_bytes", "answer_bytes"),
    sqlite_with_rowid=False,
)

# The server processes that share this database; `serves` and `missing_keys` are JSON lists of names.
replicas = Table(
    "replicas",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("seen_at", Double, nullable=False),
    Column("serves", Text, nullable=False),
    Column("missing_keys", Text),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(16), nullable=False),
    Column("until", Double, nullable=False),
)

# How many frames of a device were let in by all processes together; see `fleet.spending`.
spending = Table(
    "spending",
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("frames", BigInteger, nullable=False),
)

# What is known of the time, in one row; see `feedback.clock`.
known_time = Table(
    "known_time",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("doubted", Double),
    Column("held_seconds", Double, nullable=False),
)

# Who may call the operator plane, and with which tokens; only a token's hash is kept.
operators = Table(
    "operators",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(8), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("disabled_at", Double),
)

operator_tokens = Table(
    "operator_tokens",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("operator", String(64), ForeignKey("operators.name"), nullable=False, index=True),
    Column("sha256", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("rotated_from", String(8), index=True),
)

# Every change that operators made: a chain of hashes, whose end stands in `audit_head`; see `operators.audit`.
audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("operator", String(64), nullable=False),
    Column("role", String(8), nullable=False),
    Column("address", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

# One row, which whoever adds to the chain locks.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
