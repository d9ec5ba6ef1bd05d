"""What diagnostics are made of: the device's status, heartbeat, configuration, versions and log, and what ails it."""

import json
import sys
from collections.abc import Mapping

from sensor_client.clock import Clock
from sensor_client.findings import as_json
from sensor_client.logs import recent_lines
from sensor_client.state_directory import StateDirectory
from sensor_client.status import read_status
from shared.wire import Enrolment, Heartbeat


def diagnostic_files(
    state: StateDirectory, configuration: Mapping[str, str], heartbeat: Heartbeat, clock: Clock
) -> Mapping[str, str]:
    """The files by name; whoever sends them takes the secrets out.

    Raises:
        StateError: there is no such directory.
    """
    import platform  # noqa: PLC0415 - few sensors are ever asked

    from sensor_client.doctor import Patient, examine_files  # noqa: PLC0415 - as above

    patient = Patient(state=state, clock=clock, environment={}, look_at_source=None)

    versions = {"dctwire": heartbeat.program, "python": sys.version, "platform": platform.platform()}
    return {
        "status.json": read_status(state).model_dump_json(indent=1),
        "heartbeat.json": heartbeat.model_dump_json(indent=1, exclude_none=True),
        "configuration.json": json.dumps(dict(configuration), indent=1),
        "versions.json": json.dumps(versions, indent=1),
        "doctor.json": json.dumps(as_json(examine_files(patient)), indent=1),
        "log.jsonl": "\n".join(recent_lines()),
    }


def secrets_of(state: StateDirectory, enrolment: Enrolment) -> list[str]:
    """What must be in no file that leaves the device.

    Raises:
        StateError: the identity is damaged.
    """
    known = state.identity()
    every = [enrolment.token, enrolment.voucher, *([known.secret, known.claim_code] if known else [])]
    return [secret for secret in every if secret is not None]
