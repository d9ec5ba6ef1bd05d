"""Whether a family or a device that somebody typed is known, and which one was meant."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.output import warn
from shared.environment import nearest
from shared.errors import DctwireError, RefusedError
from shared.wire import ProblemCode

_LISTED_MAX = 20


class UnknownFamilyError(DctwireError):
    """Nothing is published for this family; names those that there are."""

    code: ClassVar[str] = "unknown-family"


def published_families(client: OperatorClient) -> list[str]:
    """The families that bundles or fallbacks are published for, in order."""
    rows = client.get("/v1/bundles")["bundles"] + client.get("/v1/fallbacks")["fallbacks"]
    return sorted({row["family"] for row in rows})


def warn_of_unknown(client: OperatorClient, family: str) -> None:
    """Say so where nothing is published for a family: a slip, or a first publication that is still to come."""
    known = published_families(client)
    if family not in known:
        warn(f"nothing is published for family {family} yet.{_meant(family, known)}")


def require_known(client: OperatorClient, family: str) -> None:
    """Whether anything is published for a family.

    Raises:
        UnknownFamilyError: nothing is.
    """
    known = published_families(client)
    if family not in known:
        listed = ", ".join(known[:_LISTED_MAX]) + (", ..." if len(known) > _LISTED_MAX else "")
        there_are = f" There are: {listed}." if known else " Nothing is published at all."
        raise UnknownFamilyError(f"nothing is published for family {family}.{_meant(family, known)}{there_are}")


@contextmanager
def device_looked_up(client: OperatorClient, device_id: str) -> Iterator[None]:
    """Where what is asked within is not found, say so if no such device is enrolled, with the nearest that is."""
    try:
        yield
    except RefusedError as error:
        if error.code == ProblemCode.NOT_FOUND:
            known = sorted(row["device_id"] for row in client.get("/v1/devices")["devices"])
            if device_id not in known:
                warn(f"no device {device_id} is enrolled.{_meant(device_id, known)}")
        raise


def _meant(family: str, known: list[str]) -> str:
    meant = nearest(family, known)
    return f" Did you mean {meant}?" if meant else ""
