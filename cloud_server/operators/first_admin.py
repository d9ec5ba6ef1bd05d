"""The first admin's token, which lies in a file of the server's: whoever may read that may do anything here anyway."""

from pathlib import Path

import structlog

from cloud_server.operators.accounts import DAY_SECONDS, FIRST_ADMIN, Caller, Operators
from cloud_server.operators.audit import SERVER, Call, note
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import TOKEN_DAYS, new_token, new_token_id, token_sha256
from cloud_server.operators.token_file import TOKEN_FILE, write_token
from cloud_server.storage.database import Transaction
from cloud_server.storage.rows import operators as rows
from cloud_server.storage.witness import Facts

_log = structlog.get_logger()


async def make_first_admin(operators: Operators, data: Path) -> None:
    """Make the first operator of a new database, and leave its token in DATA/admin-token; one process of several does.

    Raises:
        StorageError, OSError: the database does not answer, or the file cannot be written.
    """
    if await operators.are_there():
        return
    token, path = new_token(), data / TOKEN_FILE
    write_token(path, token)  # before it lets anybody in: afterwards a crash would leave an admin without a token
    if await operators.make_first_admin(token):
        _log.warning("admin-token-made", path=str(path))
    else:
        path.unlink()


def renew_admin(transaction: Transaction, token: str, now: float) -> None:
    """Make this token the only one of the operator `admin`, who is an admin from now on; audited as done here."""
    call = Call(Caller(SERVER, Role.ADMIN, "", "local"), "")
    before, row = rows.find(transaction, FIRST_ADMIN), rows.OperatorRow(FIRST_ADMIN, Role.ADMIN.value, now, None)
    if before is None:
        rows.add(transaction, row)
    else:
        rows.change(transaction, row._replace(created_at=before.created_at))
    for earlier in rows.tokens(transaction, FIRST_ADMIN):
        rows.revoke(transaction, earlier.id, now)
    made = rows.NewToken(new_token_id(), FIRST_ADMIN, token_sha256(token), now, now + TOKEN_DAYS * DAY_SECONDS)
    rows.add_token(transaction, made)
    facts: Facts = {"id": made.id, "operator": FIRST_ADMIN, "expires_at": round(now + TOKEN_DAYS * DAY_SECONDS)}
    note(transaction, None, facts, call=call, action="token.renew-admin", subject=FIRST_ADMIN, at_ms=round(now * 1000))
