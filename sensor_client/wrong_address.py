"""What answers at an address at which enrolling failed: said, so that a wrong port or scheme is mended at once."""

import json
import ssl
from collections.abc import Callable

from sensor_client.http_line import HttpLine, Reply
from shared.errors import ChannelError, DctwireError

DESCRIPTION_PATH = "/openapi.json"  # each plane describes itself there, its name in `info.title`; a proxy may hide it
TIMESTAMP_PATH = "/tuf/metadata/timestamp.json"
DEVICE_PLANE = "dctwire device plane"
OTHER_PLANES = ("dctwire operator plane", "dctwire ops plane")

OpenLine = Callable[[str], HttpLine]
"""Opens a line to another address."""


class WrongAddressError(DctwireError):
    """No device plane answers there, and none ever will: another port or scheme is meant."""


def explained(error: Exception, line: HttpLine, open_line: OpenLine) -> Exception:
    """What to raise instead of `error`, which ended an enrolment over `line`: what was met, and what to type.

    `error` itself is returned where a device plane answers, or nothing at all.

    Raises:
        ChannelError: the line broke meanwhile.
    """
    try:
        reply = line.exchange("GET", DESCRIPTION_PATH)
    except ChannelError as silence:
        return (None if _is_about_a_certificate(silence) else _of_scheme(line.url, open_line)) or error
    plane = _plane(reply)
    if plane in OTHER_PLANES:
        return WrongAddressError(
            f"{line.url} is the {plane} of a server, and devices enrol at its device plane: give --server the address "
            "that dctwire-server prints as `device`, port 8000 unless it was set otherwise"
        )
    if plane == DEVICE_PLANE or "signed" in _object(line.exchange("GET", TIMESTAMP_PATH)):
        return error
    return ChannelError(
        f"{line.url} is answered by something else than a dctwire server ({reply.status} to GET {DESCRIPTION_PATH}); "
        f"give --server the address of a device plane, such as http://host:8000. Enrolling there ended with: {error}"
    )


def _of_scheme(url: str, open_line: OpenLine) -> WrongAddressError | None:
    """The error where the port speaks the other one of http and https; None where it does not."""
    scheme, rest = url.split("://", 1)
    other, spoken = {"http": ("https", "TLS"), "https": ("http", "plain HTTP, without TLS")}[scheme.lower()]
    other_url = f"{other}://{rest}"
    try:
        with open_line(other_url) as line:
            line.exchange("GET", DESCRIPTION_PATH)
    except ChannelError as error:
        if not _is_about_a_certificate(error):
            return None
    return WrongAddressError(f"what answers at {url} speaks {spoken}: give --server {other_url}")


def _plane(reply: Reply) -> object:
    """The name that what answers gives itself; None where it gives none."""
    info = _object(reply).get("info")
    return info.get("title") if isinstance(info, dict) else None


def _object(reply: Reply) -> dict[str, object]:
    """The JSON object of an answer; {} for any other."""
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_about_a_certificate(error: BaseException | None) -> bool:
    """Whether a handshake went as far as a certificate: then TLS is spoken there."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
