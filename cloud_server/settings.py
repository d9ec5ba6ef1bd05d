"""What can be set, by flag or by `DCTWIRE_SERVER_*` variable, and its default."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from cloud_server.inference.memory import allowed_bytes
from shared.wire import BATCH_MAX_FRAMES

Port = Annotated[int, Field(ge=0, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
Prefix = Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]+/)*$")]


class ServerSettings(BaseSettings):
    """Settings of one server process. Port 0 takes any free one; `addresses.json` says which."""

    model_config = SettingsConfigDict(env_prefix="DCTWIRE_SERVER_", frozen=True, extra="forbid")

    # State
    data: Path = Field(description="Folder of this process alone: keys, and all that is not kept elsewhere.")
    keys: Path | None = Field(None, description="Folder of the online keys. Unset: DATA/keys.")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL, as postgresql://user:password@host/name. Unset: SQLite in DATA."
    )
    database_max_seconds: Seconds = Field(10.0, description="How long a query or a write may take, waiting included.")
    s3_bucket: str | None = Field(None, description="Keep classifiers and sampled frames in this bucket. Unset: DATA.")
    s3_prefix: Prefix = Field("", description="What every name in the bucket begins with; ends with a slash.")
    s3_endpoint: str | None = Field(None, description="The store's URL. Unset: that of AWS.")
    s3_region: str = Field("us-east-1", description="The bucket's region.")
    s3_access_key_id: SecretStr | None = Field(None, description="Unset, with the next: what the machine offers.")
    s3_secret_access_key: SecretStr | None = Field(None, description="Never logged, as all secrets.")
    s3_virtual_hosted: bool = Field(False, description="Name the bucket in the host, not in the path.")
    s3_allow_http: bool = Field(False, description="Speak to the store without TLS.")
    s3_timeout_seconds: Seconds = Field(10.0, description="How long one request to the store may take.")
    cache_max_bytes: int = Field(4 << 30, ge=0, description="Local copies of classifiers that a bucket holds.")

    # Listeners
    device_host: str = Field("0.0.0.0", description="Device plane: address to listen on.")  # noqa: S104 - cameras
    device_port: Port = Field(8000, description="Device plane: port; 0 takes a free one.")
    operator_host: str = Field("127.0.0.1", description="Operator plane: keep it on loopback.")
    operator_port: Port = Field(8001, description="Operator plane: port.")
    operator_hosts: str = Field(
        "", description="Names with a dot by which operators call it, divided by commas; addresses always do."
    )
    ops_host: str = Field("127.0.0.1", description="Metrics and probes: address.")
    ops_port: Port = Field(9100, description="Metrics and probes: port.")
    connections_max: int = Field(4096, ge=1, description="Connections a plane; the next one is turned away.")
    head_max_seconds: Seconds = Field(10.0, description="How long the head of a request may take to arrive.")
    body_max_seconds: Seconds = Field(60.0, description="How long a body may take to arrive.")
    write_max_seconds: Seconds = Field(20.0, description="How long a client may take to make room for its answers.")
    keep_alive_seconds: int = Field(75, ge=1, description="How long a connection may rest between two requests.")
    stall_max_seconds: Seconds = Field(60.0, description="How long one write may take before /livez says no.")
    drain_delay_seconds: float = Field(
        1.0, ge=0, description="SIGTERM: how long to answer on, unready, until balancers have seen it."
    )
    drain_max_seconds: int = Field(15, ge=1, description="How long requests may then take to be finished.")

    # Classifying
    threads: Annotated[int, Field(ge=1, le=256)] = Field(
        default_factory=lambda: os.cpu_count() or 1, description="Threads that decode and classify."
    )
    batch_max_frames: int = Field(32, ge=1, le=1024, description="The largest micro-batch; timing may choose less.")
    batch_max_seconds: Seconds = Field(0.1, description="How long a micro-batch may take.")
    model_memory_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        default_factory=lambda: allowed_bytes() // 2 >> 20 << 20,
        description="What classifiers in memory may keep; those not used for longest go.",
    )
    queue_max_frames: int = Field(1024, ge=1, description="Frames that may wait for a thread.")
    wait_max_seconds: Seconds = Field(10.0, description="How long one may; DW-Timeout asks for less.")

    # What is taken
    frame_max_bytes: int = Field(1 << 20, ge=1024, description="A frame's body.")
    batch_max_bytes: int = Field(4 << 20, ge=1024, description="A batch's body.")
    bodies_max_bytes: int = Field(256 << 20, ge=1 << 20, description="All bodies in memory together.")
    blob_max_bytes: int = Field(512 << 20, ge=1024, description="A file that an operator uploads.")
    quota_frames_per_second: Annotated[float, Field(gt=0)] = Field(1000.0, description="Frames a device, on the whole.")
    quota_burst_frames: int = Field(10_000, ge=BATCH_MAX_FRAMES, description="Frames a device, at once.")

    # Feedback
    sample_random_rate: Share = Field(0.001, description="Share of frames kept at random, for audits.")
    sample_confidence_below: Share = Field(0.5, description="Answers less certain than this are kept.")
    sample_rare_share: Share = Field(0.1, description="Labels seen less often than this share of a fair one are kept.")
    sample_hourly_max: int = Field(60, ge=0, description="Frames kept an hour, by family and reason.")
    sample_daily_max: int = Field(600, ge=0, description="Frames kept a day, by family and reason.")
    samples_max_bytes: int = Field(1 << 30, ge=0, description="All kept frames together.")
    recent_frames_max_bytes: int = Field(32 << 20, ge=0, description="Frames remembered in case a label contradicts.")
    samples_days: Annotated[float, Field(gt=0)] = Field(90.0, description="How long frames are kept.")
    results_days: Annotated[float, Field(gt=0)] = Field(90.0, description="How long answers and labels are kept.")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in words.

    Args:
        variable: that sets it.
        default: on this machine.
        is_of_machine: whether it would be another one elsewhere.
        meaning: what it is for.
    """

    variable: str
    default: str
    is_of_machine: bool
    meaning: str


def described(name: str) -> Setting:
    """A setting by its name."""
    field = ServerSettings.model_fields[name]
    default = "required" if field.is_required() else _shown(name, field.get_default(call_default_factory=True))
    is_of_machine = field.default_factory is not None
    return Setting(f"DCTWIRE_SERVER_{name.upper()}", default, is_of_machine, field.description or "")


def _shown(name: str, default: object) -> str:
    """A default as people write it; bytes in the largest unit that divides them."""
    if default is None or default == "":
        return "unset"
    if isinstance(default, bool):
        return str(default).lower()
    if name.endswith("_bytes") and isinstance(default, int):
        shift, unit = next(
            ((s, u) for s, u in ((30, "GiB"), (20, "MiB"), (10, "KiB")) if not default % (1 << s)), (0, "B")
        )
        return f"{default >> shift} {unit}"
    return f"{default:g}" if isinstance(default, float) else str(default)


def _bytes(size: int) -> str:
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size and not size % (1 << shift):
            return f"{size >> shift} {unit}"
    return f"{size} B"
