"""Enrolling: a claim code becomes the identity of this device, once."""

from collections.abc import Callable
from dataclasses import dataclass

from sensor_client import durable
from sensor_client.state_directory import Identity, StateDirectory, StateError
from shared.wire import Enrolment


@dataclass(frozen=True)
class EnrolmentOutcome:
    """Who the device is, and whether that is new."""

    identity: Identity
    is_new: bool


def enrol(state: StateDirectory, server_url: str, root: bytes, ask_server: Callable[[], Enrolment]) -> EnrolmentOutcome:
    """Enrol the device unless it is enrolled. The server is asked only once the directory is known to be writable.

    Args:
        root: the TUF root metadata to trust from now on.
        ask_server: asks the server to enrol, which spends the claim code.

    Raises:
        StateError: enrolled already with another server or root, or the directory cannot be used.
        RefusedError, ChannelError: from `ask_server`; the device is as before.
    """
    state.make()
    with state.claimed():
        known = state.identity()
        if known is not None:
            _check_same(state, known, server_url, root)
            return EnrolmentOutcome(known, is_new=False)
        durable.write_file(state.root_file, root)
        identity = Identity(server_url=server_url, enrolment=ask_server())
        state.enrol(identity)
        return EnrolmentOutcome(identity, is_new=True)


def _check_same(state: StateDirectory, known: Identity, server_url: str, root: bytes) -> None:
    if known.server_url != server_url:
        raise StateError(f"{state.path} is enrolled with {known.server_url}; use another --state for {server_url}")
    if state.root() != root:
        raise StateError(f"{state.path} trusts another root; a root changes by TUF rotation, not by enrolling")
