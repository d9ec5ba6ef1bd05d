"""Enrolling: a claim code becomes the identity of this device, once."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from sensor_client.errors import ClaimRefusedError
from sensor_client.state_directory import Identity, StateDirectory, StateError
from shared.errors import ChannelError
from shared.wire import Enrolment, EnrolmentRequest


@dataclass(frozen=True)
class EnrolmentOutcome:
    """Who the device is, and whether that is new."""

    identity: Identity
    is_new: bool


def enrol(
    state: StateDirectory,
    server_url: str,
    root: bytes,
    ask_server: Callable[[], Enrolment],
    *,
    claim_code: str | None = None,
    authorities: str | None = None,
) -> EnrolmentOutcome:
    """Enrol the device unless it is enrolled. The server is asked only once the directory is known to be writable.

    An identity that can no longer be read is replaced: the same claim code and secret give the same one.

    Args:
        root: the TUF root metadata to trust from now on.
        ask_server: asks the server to enrol, which spends the claim code.
        claim_code: kept, to be let in again with.
        authorities: certificates (PEM) that alone may vouch for the server; of an enrolled device they replace others.

    Raises:
        StateError: enrolled already with another server or root, or the directory cannot be used.
        RefusedError, ChannelError: from `ask_server`; the device is as before.
    """
    state.make()
    with state.claimed():
        known = _readable_identity(state)
        if known is not None:
            _check_same(state, known, server_url, root)
            if authorities is not None and authorities != known.authorities:
                known = known.model_copy(update={"authorities": authorities})
                state.enrol(known)
            return EnrolmentOutcome(known, is_new=False)
        state.keep_root(root)
        identity = Identity(
            server_url=server_url,
            enrolment=ask_server(),
            claim_code=claim_code,
            secret=state.known_secret(),
            authorities=authorities,
            has_counted=state.has_been_used,
        )
        state.enrol(identity)
        return EnrolmentOutcome(identity, is_new=True)


def request(claim_code: str, secret: str, known: Enrolment | None = None) -> EnrolmentRequest:
    """The request to enrol, or, with what is `known` of an earlier time, to enrol again.

    Raises:
        ClaimRefusedError: no claim code looks like that.
    """
    vouched = {} if known is None or known.voucher is None else known.model_dump(exclude={"token"})
    try:
        return EnrolmentRequest(claim_code=claim_code, secret=secret, **vouched)
    except ValidationError as error:
        raise ClaimRefusedError(401, "", f"this cannot be asked ({error.errors()[0]['msg']})") from error


def enrol_again(identity: Identity, ask_server: Callable[[EnrolmentRequest], Enrolment]) -> Identity:
    """Repeat a device's enrolment; the device stays who it is, and takes over a voucher where it has none.

    Raises:
        ClaimRefusedError: it was enrolled by a program that kept no claim code; only a person can repeat it.
        RefusedError: from `ask_server`.
        ChannelError: from `ask_server`, or the answer is about another device: nothing of it is to be kept.
    """
    if identity.claim_code is None or identity.secret is None:
        raise ClaimRefusedError(401, "", "this device keeps no claim code; enrol it anew if it is not let in again")
    known = identity.enrolment
    told = ask_server(request(identity.claim_code, identity.secret, known))
    if (told.device_id, told.family) != (known.device_id, known.family):
        raise ChannelError(
            f"the answer makes this device {told.device_id} of family {told.family}, and it is {known.device_id} of "
            f"{known.family} for good: not this server's answer"
        )
    return identity.model_copy(update={"enrolment": told.model_copy(update={"voucher": known.voucher or told.voucher})})


def _readable_identity(state: StateDirectory) -> Identity | None:
    try:
        return state.identity()
    except StateError:
        return None


def _check_same(state: StateDirectory, known: Identity, server_url: str, root: bytes) -> None:
    if known.server_url != server_url:
        raise StateError(f"{state.path} is enrolled with {known.server_url}; use another --state for {server_url}")
    if state.root() != root:
        raise StateError(f"{state.path} trusts another root; a root changes by TUF rotation, not by enrolling")
