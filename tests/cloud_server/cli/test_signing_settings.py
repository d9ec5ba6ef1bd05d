"""Settings are signed by as many as must sign bundles, and what several have signed is what was asked for."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_server.cli.ceremonies import sign
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import NoKeysError, TooFewSignaturesError
from cloud_server.cli.signing_settings import Wanted, set_settings
from cloud_server.cli.to_sign import to_sign
from shared.bundle import BundleError, DeviceSettings
from shared.errors import RefusedError
from tests.cloud_server.cli.test_ceremonies import fleet_of_two

THRIFTY = Wanted("digits", None, {"frames_per_second": 0.5})


def _none(_path: Path) -> bytes:
    return b""


def test_two_persons_set_where_the_root_says_so(tmp_path: Path) -> None:
    approver, waiting = tmp_path / "approver", tmp_path / "keys" / "digits.to-sign.json"
    with fleet_of_two(tmp_path) as fleet:
        with pytest.raises(TooFewSignaturesError):
            fleet.publish()
        fleet.publish(signed=sign(waiting.read_bytes(), approver, _none))
        client = OperatorClient(fleet.harness.addresses["operator"], fleet.harness.admin_token)

        def set_(wanted: Wanted = THRIFTY, signed: bytes | None = None) -> DeviceSettings:
            return set_settings(client, wanted, tmp_path / "keys", datetime.now(UTC), passphrase=_none, signed=signed)

        with pytest.raises(TooFewSignaturesError, match="1/2"):
            set_()
        with pytest.raises(RefusedError, match="signed by 1/2"):
            set_(signed=waiting.read_bytes())
        beside = tmp_path / "keys" / "digits.settings-1.json"
        assert "sets for the family: frames-per-second 0.5" in to_sign(waiting.read_bytes(), beside.parent)
        assert "put digits.settings-1.json beside this list" in to_sign(waiting.read_bytes(), tmp_path)
        other = DeviceSettings(family="digits", counter=1, frames_per_second=50.0).to_bytes()
        (tmp_path / beside.name).write_bytes(other)
        shown = to_sign(waiting.read_bytes(), tmp_path)
        assert "is not what is to be signed" in shown and "sets for" not in shown
        both = sign(waiting.read_bytes(), approver, _none)
        with pytest.raises(RefusedError, match="not for these bytes"):
            set_(Wanted("digits", None, {"frames_per_second": 50.0}), signed=both)
        assert set_(signed=both).counter == 1
        held = client.get("/v1/settings", {"family": "digits"})
        assert [row["said"] for row in held["settings"]] == [{"frames_per_second": 0.5}]
        client.close()


def test_nothing_is_asked_of_a_server_without_keys_or_with_what_is_out_of_bounds(tmp_path: Path) -> None:
    client = OperatorClient("http://127.0.0.1:1", "t" * 22)
    with pytest.raises(NoKeysError):
        set_settings(client, THRIFTY, tmp_path, datetime.now(UTC))
    with pytest.raises(BundleError, match="batch-frames: Input should be less than or equal to 256"):
        Wanted("digits", None, {"batch_frames": 1000}).numbered(1)
    client.close()
