"""Whether a family that somebody typed is one that anything is published for, and which one was meant."""

from typing import ClassVar

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.output import warn
from shared.environment import nearest
from shared.errors import DctwireError

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


def _meant(family: str, known: list[str]) -> str:
    meant = nearest(family, known)
    return f" Did you mean {meant}?" if meant else ""
