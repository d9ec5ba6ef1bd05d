"""What answers at an address at which enrolling failed: said, so that a wrong port or scheme is mended at once."""

import json
import ssl
from collections.abc import Callable

from sensor_client.http_line import HttpLine, Reply
from shared.errors import ChannelError, DctwireError
from shared.proxies import ProxyError
from shared.wire import DOCUMENT_PATH, Plane, plane_of

ROOT_PATH = "/tuf/1.root.json"

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
        reply = line.exchange("GET", DOCUMENT_PATH)
    except ChannelError as silence:
        return (None if _is_about_a_certificate(silence) else _of_scheme(line.url, open_line)) or error
    plane = plane_of(reply.body)  # a gateway may hide what describes it
    if plane not in (None, Plane.DEVICE):
        return WrongAddressError(
            f"{line.url} is the {plane} of a server, and devices enrol at its device plane: give --server the address "
            "that dctwire-server prints as `device`, port 8000 unless it was set otherwise"
        )
    if plane is Plane.DEVICE or "signed" in _object(line.exchange("GET", ROOT_PATH)):
        return error
    return ChannelError(
        f"{line.url} is answered by something else than a dctwire server ({reply.status} to GET {DOCUMENT_PATH}); "
        f"give --server the address of a device plane, such as http://host:8000. Enrolling there ended with: {error}"
    )


def _of_scheme(url: str, open_line: OpenLine) -> WrongAddressError | None:
    """The error where the port speaks the other one of http and https; None where it does not."""
    scheme, rest = url.split("://", 1)
    other, spoken = {"http": ("https", "TLS"), "https": ("http", "plain HTTP, without TLS")}[scheme.lower()]
    other_url = f"{other}://{rest}"
    try:
        with open_line(other_url) as line:
            line.exchange("GET", DOCUMENT_PATH)
    except (ChannelError, ProxyError) as error:
        if not _is_about_a_certificate(error):
            return None
    return WrongAddressError(f"what answers at {url} speaks {spoken}: give --server {other_url}")


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
