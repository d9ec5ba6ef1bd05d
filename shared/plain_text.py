"""Text that may stand in logs, on terminals, in tables and databases: what it may not hold, and how the rest is shown.

Refused are control characters (C0 with NUL, DEL, C1), the separators of lines and paragraphs, what turns the direction
of the text around it (embeddings, overrides and isolates of Unicode's bidirectional algorithm, UAX 9), and halves of
surrogate pairs, which no UTF-8 has.
"""

import re

from shared.errors import PeerError

PLAIN = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
"""The rule as a pattern, as schemas have it; halves of surrogate pairs do not come so far."""
_REFUSED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Whether a text holds nothing that is refused."""
    return _REFUSED.search(text) is None


def require_plain(text: str, where: str) -> None:
    r"""Refuse a text that holds what is refused.

    Raises:
        PeerError: says where, and which character it is, as `\x1b`.
    """
    found = _REFUSED.search(text)
    if found is not None:
        raise PeerError(f"{where}: the character {escaped(found.group())} is not allowed in a text; leave it out")


def escaped(text: str) -> str:
    r"""A text as every log and terminal takes it: what is refused stands there as `\x1b`."""
    return _REFUSED.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def escaped_lines(text: str) -> str:
    """Lines of text, each escaped."""
    return "\n".join(escaped(line) for line in text.split("\n"))
