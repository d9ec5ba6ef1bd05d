"""How tables are named in frames: the first bytes of a hash. `native/src/tables_id.rs` has the same length."""

import hashlib

TABLES_ID_BYTES = 8


def tables_id_of(stream: bytes) -> str:
    """The first `TABLES_ID_BYTES` bytes of the SHA-256 of a canonical tables-only stream, in hex."""
    return hashlib.sha256(stream).digest()[:TABLES_ID_BYTES].hex()
