"""Whether a family or a device that somebody typed is known, and which one was meant."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import quote

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
    rows = [*every_bundle(client), *client.get("/v1/fallbacks")["fallbacks"]]
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
            _warn_of_unknown_device(client, device_id, str(error))
        raise


def every_device(client: OperatorClient, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of all devices that are asked for, page after page."""
    yield from _every(client, "/v1/devices", "devices", asked)


def every_reached_device(client: OperatorClient, rollout: str, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of all devices that a rollout has reached and that are asked for, page after page."""
    yield from _every(client, f"/v1/rollouts/{quote(rollout, safe='')}/devices", "devices", asked)


def every_bundle(client: OperatorClient) -> Iterator[dict[str, Any]]:
    """The rows of all bundles, page after page."""
    yield from _every(client, "/v1/bundles", "bundles", {})


def _every(client: OperatorClient, path: str, what: str, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    page = client.get(path, asked)
    yield from page[what]
    while page["next"] is not None:
        page = client.get(path, {**asked, "after": page["next"]})
        yield from page[what]


def _warn_of_unknown_device(client: OperatorClient, device_id: str, said: str) -> None:
    """Add to what was `said` that the device was forgotten; or that there is none, and the nearest of a thousand."""
    try:
        client.get(f"/v1/devices/{quote(device_id, safe='')}")
    except RefusedError as error:
        if f"device {device_id} was forgotten" in str(error):
            if str(error) != said:
                warn(str(error))
            return
        known = sorted(row["device_id"] for row in client.get("/v1/devices")["devices"])
        fact = f"no device {device_id} is enrolled"
        if added := ("" if fact in said else f"{fact}.") + _meant(device_id, known):
            warn(added.strip())


def _meant(family: str, known: list[str]) -> str:
    meant = nearest(family, known)
    return f" Did you mean {meant}?" if meant else ""
