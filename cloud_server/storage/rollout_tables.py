"""The database's tables of rollouts; they belong to `schema`."""

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Integer, String, Table, Text

from cloud_server.storage.metadata import metadata, sums_of


def _of_rollout() -> Column[str]:
    return Column("rollout", String(8), ForeignKey("rollouts.id"), primary_key=True)


def _of_its_device() -> Column[int]:
    return Column("device_id", Integer, primary_key=True, index=True)


# One row a rollout; `active_family` is its family until it ends, so that a family has one such at most. `plan` is JSON;
# so is `reaches`, which says who is exposed now: see `fleet.exposure`. `looks` were taken in this stage. `led_at` is
# when a process led it last, by that one's clock, to some seconds. `outcomes` is JSON, too, once the rows of devices
# are deleted for their age: see `rows.old_rollouts`.
rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("family", String(63), nullable=False, index=True),
    Column("old_counter", Integer),
    Column("old_seq", BigInteger),
    Column("counter", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("plan", Text, nullable=False),
    Column("reaches", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("paused_why", String(16)),
    Column("state_since", Double, nullable=False),
    Column("stage_since", Double, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("starts_at", Double),
    Column("version", Integer, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
    Column("created_by", String(64), nullable=False),
    Column("ended_at", Double),
    Column("note", String(500)),
    Column("active_family", String(63), unique=True),
    Column("led_at", Double),
    Column("outcomes", Text),
)

# The devices that a rollout has reached: since when, as far as was heard of them, and what became of it. No foreign key
# leads to devices, here and below: one that was deleted by hand would keep out what is counted together with it.
rollout_devices = Table(
    "rollout_devices",
    metadata,
    _of_rollout(),
    _of_its_device(),
    Column("exposed_at", Double, nullable=False),
    Column("outcome", String(12)),
    Column("settled_at", Double),
    Column("proofs", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What was counted of a device during a rollout, under the old bundle and under the new one; see `rows.rollout_counts`.
rollout_counts = Table(
    "rollout_counts",
    metadata,
    _of_rollout(),
    _of_its_device(),
    Column("arm", String(3), primary_key=True),
    *sums_of("frames", "bytes", "fallback", "refused"),
    Column("encode_seconds", Double),
    sqlite_with_rowid=False,
)

# What each gate said at each look; a stage that is tried again takes its looks again.
rollout_verdicts = Table(
    "rollout_verdicts",
    metadata,
    _of_rollout(),
    Column("stage", Integer, primary_key=True),
    Column("look", Integer, primary_key=True),
    Column("gate", String(16), primary_key=True),
    Column("at", Double, primary_key=True),
    Column("opinion", String(4), nullable=False),
    Column("document", Text, nullable=False),
    sqlite_with_rowid=False,
)
