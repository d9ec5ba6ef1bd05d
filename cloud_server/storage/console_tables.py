"""The tables of the console: operators' passwords, one-time login codes and sessions, of each only a hash.

Times are seconds since 1970. `via_token` is the operator's token that a login goes back to, where it does: whoever
revokes the token ends what came of it.
"""

from sqlalchemy import Column, Double, ForeignKey, LargeBinary, String, Table

from cloud_server.storage.metadata import metadata

# `hash` is argon2's own form, with its parameters and salt.
operator_passwords = Table(
    "operator_passwords",
    metadata,
    Column("operator", String(64), ForeignKey("operators.name"), primary_key=True),
    Column("hash", String(200), nullable=False),
    Column("set_at", Double, nullable=False),
)

login_codes = Table(
    "login_codes",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("operator", String(64), ForeignKey("operators.name"), nullable=False, index=True),
    Column("expires_at", Double, nullable=False, index=True),
    Column("via_token", String(9)),
)

# A session that has ended has no row. `id` is what lists call it, `sha256` that of what the browser's cookie holds.
console_sessions = Table(
    "console_sessions",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("id", String(9), nullable=False, unique=True),
    Column("operator", String(64), ForeignKey("operators.name"), nullable=False, index=True),
    Column("begun_at", Double, nullable=False, index=True),
    Column("used_at", Double, nullable=False),
    Column("address", String(64), nullable=False),
    Column("browser", String(200), nullable=False),
    Column("via_token", String(9), index=True),
)
