"""What setting devices from afar takes on the operator's side: number the settings, sign their entry, and ask."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import (
    ATTEMPTS,
    TooFewSignaturesError,
    asks_to_sign_again,
    current_list,
    next_list,
    require_keys,
    targets_signers,
)
from cloud_server.cli.signed_lists import SignedLists
from cloud_server.cli.to_sign import settings_beside
from shared.bundle import BundleError, DeviceSettings, settings_counter, settings_path
from shared.errors import RefusedError
from shared.trust import Passphrase, Target, parse_targets


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be set, by name, for a family or for its devices that have a tag."""

    family: str
    tag: str | None
    said: Mapping[str, Any]

    def numbered(self, counter: int) -> DeviceSettings:
        """The settings under a number.

        Raises:
            BundleError: something is out of bounds, or nothing is set; says what.
        """
        try:
            return DeviceSettings(family=self.family, counter=counter, tag=self.tag, **self.said)
        except ValidationError as error:
            fault = error.errors(include_context=False, include_input=False)[0]
            where = f"{str(fault['loc'][0]).replace('_', '-')}: " if fault["loc"] else ""
            raise BundleError(f"{where}{fault['msg']}") from error


def set_settings(
    client: OperatorClient,
    wanted: Wanted,
    keys: Path,
    now: datetime,
    *,
    passphrase: Passphrase | None = None,
    signed: bytes | None = None,
) -> DeviceSettings:
    """Sign settings and have them hold; returns them with their number. Repeating it sets the same anew.

    Args:
        passphrase: of the key files that have one.
        signed: the list as several have signed it; None signs it here.

    Raises:
        BundleError: something is out of bounds.
        TooFewSignaturesError, NoKeysError, OtherKeysError, TrustError: as `publish_folder`.
        RefusedError, ChannelError: as the server says.
    """
    require_keys(keys)
    wanted.numbered(1)  # before a passphrase is asked for
    lists = SignedLists(client, keys)
    signers = cache(partial(targets_signers, lists, keys, passphrase))
    for attempt in range(1, ATTEMPTS + 1):
        current = current_list(lists, keys, wanted.family)
        known = client.get("/v1/settings", {"family": wanted.family})
        if signed is not None:
            settings, targets = wanted.numbered(_newest(signed)), signed
        else:
            settings = wanted.numbered(
                1 + max(known["highest"], 0 if current.targets is None else _newest(current.targets))
            )
            target = Target(settings.target_path, settings.to_bytes(), settings.target_custom)
            replaced = [_path(row) for row in known["settings"] if row["tag"] == wanted.tag]
            try:
                targets = next_list(
                    client, lists, current, target, signers(), keys, wanted.family, now, without=replaced
                )
            except TooFewSignaturesError:  # the others want to see what they sign
                settings_beside(keys, settings.target_path).write_bytes(settings.to_bytes())
                raise
        try:
            client.post("/v1/settings", {"settings": _text(settings.to_bytes()), "targets": _text(targets)})
        except RefusedError as error:
            if not asks_to_sign_again(error) or signed is not None or attempt == ATTEMPTS:
                raise
        else:
            lists.keep(wanted.family, targets)
            return settings
    raise AssertionError("the last attempt returns or raises")


def _newest(targets: bytes) -> int:
    """The highest number of settings in a list; 0 where it has none."""
    numbers = map(settings_counter, parse_targets(targets).signed.targets)
    return max((number for number in numbers if number is not None), default=0)


def _path(row: Mapping[str, Any]) -> str:
    return settings_path(row["family"], row["counter"])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
