"""The database: every table, in one place; the revisions in `migrations/` lead to exactly this.

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
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

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

tuf_files = Table(
    "tuf_files",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("seq", Integer, CheckConstraint("seq >= 1", name="seq"), primary_key=True),
    Column("counter", Integer, nullable=False),
    Column("assigned_at", Double, nullable=False),
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
    sqlite_with_rowid=False,
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
    Column("labelled_at", Double, nullable=False),
    Column("labelled_by", String(64), nullable=False),
    ForeignKeyConstraint(["device_id", "sequence"], ["results.device_id", "results.sequence"], ondelete="CASCADE"),
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

# What was answered in an hour (since 1970), and what it cost; see `rows.sums`.
hourly_answers = Table(
    "hourly_answers",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("tables", String(16), primary_key=True),
    Column("match", String(8), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in ("frames", "scan_bytes", "labelled", "correct")),
    sqlite_with_rowid=False,
)

hourly_bytes = Table(
    "hourly_bytes",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("tables", String(16), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("frames", "scan_bytes", "tables_bytes", "markers_bytes", "http_bytes", "answer_bytes")
    ),
    sqlite_with_rowid=False,
)

# The server processes that share this database; `serves` is a JSON list of bundle names.
replicas = Table(
    "replicas",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("seen_at", Double, nullable=False),
    Column("serves", Text, nullable=False),
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
