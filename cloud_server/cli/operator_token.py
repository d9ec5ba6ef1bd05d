"""Where the command line finds the operator's token, and where it may send it."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from cloud_server.cli.output import warn
from shared.errors import DctwireError
from shared.proxies import is_loopback

TOKEN_FILE_VARIABLE, TOKEN_VARIABLE = "DCTWIRE_OPERATOR_TOKEN_FILE", "DCTWIRE_OPERATOR_TOKEN"
DEFAULT_FILE = Path(".config") / "dctwire" / "token"
_OTHERS = 0o077


class TokenFileError(DctwireError):
    """The file that should hold the operator's token cannot be read, or holds none."""

    code: ClassVar[str] = "token-file"


class UnsafeChannelError(DctwireError):
    """The token would be sent where anybody on the way can read it."""

    code: ClassVar[str] = "unsafe-channel"


def operator_token(file: Path | None, environment: Mapping[str, str], home: Path) -> str | None:
    """The token of whoever types: of the file that is named, of a variable, or of ~/.config/dctwire/token.

    Raises:
        TokenFileError: a file that was named cannot be read, or what is found is no token.
    """
    if file is not None:
        return _read(file)
    if text := environment.get(TOKEN_VARIABLE, "").strip():
        return _checked(text, TOKEN_VARIABLE)
    default = home / DEFAULT_FILE
    return _read(default) if default.exists() else None


def require_safe(url: str, token: str | None, *, is_insecure: bool) -> None:
    """Whether a token may be sent to a URL: over TLS, to this machine, or where somebody insists.

    Raises:
        UnsafeChannelError: no.
    """
    parts = urlsplit(url)
    if token is None or is_insecure or parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return
    raise UnsafeChannelError(f"{parts.hostname} would get your token over plain HTTP, which others on the way can read")


def _read(file: Path) -> str:
    try:
        if file.stat().st_mode & _OTHERS:
            warn(f"others on this machine can read your token; mend it with: chmod 600 {file}")
        text = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise TokenFileError(f"no token can be read from {file}: {reason}") from None
    return _checked(text, str(file))


def _checked(text: str, source: str) -> str:
    """The token, if it can be sent as one; it is never repeated."""
    if not text or not all("!" <= letter <= "~" for letter in text):
        raise TokenFileError(f"{source} holds no token: one line, such as dwo_... ")
    return text
