"""What can be set, by flag or by `DCTWIRE_SERVER_*` variable, and its default."""

import os
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from cloud_server.inference.memory import allowed_bytes
from shared.wire import BATCH_MAX_FRAMES

Port = Annotated[int, Field(ge=0, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
Prefix = Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]+/)*$")]


_HOSTS = "Further host names by which {} may call the {} plane, separated by commas. *: any."


def _networks(text: str) -> str:
    for part in text.split(","):
        if part.strip():
            ip_network(part.strip())
    return text


Networks = Annotated[str, AfterValidator(_networks)]
"""Addresses and networks, separated by commas."""


class Families(frozenset[str]):
    """Names of families; `*` stands for every family."""

    @classmethod
    def parse(cls, text: str) -> "Families":
        """The names in a text, separated by commas."""
        return cls(name.strip() for name in text.split(",") if name.strip())

    def __contains__(self, family: object) -> bool:
        return super().__contains__(family) or super().__contains__("*")


class ServerSettings(BaseSettings):
    """Settings of one server process. Port 0 takes any free one; `addresses.json` says which."""

    model_config = SettingsConfigDict(env_prefix="DCTWIRE_SERVER_", frozen=True, extra="forbid")

    @property
    def families_of_own_size(self) -> Families:
        """Whose frames must have the classifier's own size."""
        return Families.parse(self.own_size_families)

    @property
    def has_operator_tls(self) -> bool:
        """Whether the operator plane speaks TLS where there is a certificate."""
        if self.operator_tls is not None:
            return self.operator_tls
        return not (self.operator_host == "localhost" or is_loopback(self.operator_host))

    # State
    data: Path = Field(description="The process's own folder: its keys, and everything that is not kept elsewhere.")
    keys: Path | None = Field(None, description="The folder of the online keys. Unset: DATA/keys.")
    database_url: SecretStr | None = Field(
        None, description="A PostgreSQL database, as postgresql://user:password@host/name. Unset: SQLite in DATA."
    )
    database_max_seconds: Seconds = Field(
        10.0, description="The longest that a query or a write may take, including its wait in the queue."
    )
    s3_bucket: str | None = Field(
        None, description="The S3 bucket for classifiers and samples. Unset: they are kept in DATA."
    )
    s3_prefix: Prefix = Field("", description="The prefix of every name in the bucket; it ends with a slash.")
    s3_endpoint: str | None = Field(None, description="The URL of the S3 store. Unset: AWS.")
    s3_region: str = Field("us-east-1", description="The bucket's region.")
    s3_access_key_id: SecretStr | None = Field(
        None, description="The access key's id. Unset: credentials from the machine's environment."
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="The access key's secret; it is never logged.")
    s3_virtual_hosted: bool = Field(
        False, description="Whether the bucket's name is part of the host name instead of the path."
    )
    s3_allow_http: bool = Field(False, description="Whether the store may be reached without TLS.")
    s3_timeout_seconds: Seconds = Field(10.0, description="The longest that one request to the S3 store may take.")
    cache_max_bytes: int = Field(
        4 << 30, ge=0, description="The size limit of the local copies of what the bucket holds."
    )

    # Listeners
    device_host: str = Field("0.0.0.0", description="The address on which the device plane listens.")  # noqa: S104 - cameras
    device_port: Port = Field(8000, description="The port of the device plane; 0 takes a free one.")
    trusted_proxies: Networks = Field(
        "",
        description="Proxies in front of the device plane, as addresses or networks separated by commas, whose "
        "X-Forwarded-For is believed; without it all cameras behind a proxy count as one address.",
    )
    operator_host: str = Field(
        "127.0.0.1", description="The address on which the operator plane listens; keep it on loopback."
    )
    operator_port: Port = Field(8001, description="The port of the operator plane; 0 takes a free one.")
    operator_hosts: str = Field("", description=_HOSTS.format("operators", "operator"))
    device_hosts: str = Field("", description=_HOSTS.format("devices", "device"))
    ops_hosts: str = Field("", description=_HOSTS.format("monitors", "ops"))
    tls_certificate: Path | None = Field(
        None,
        description="The certificate chain of the device plane and of an operator plane off loopback, as PEM. "
        "Unset: plain HTTP is spoken.",
    )
    tls_key: Path | None = Field(None, description="The certificate's key, as PEM without a passphrase.")
    operator_tls: bool | None = Field(
        None, description="Whether the operator plane speaks TLS, too. Unset: it does off loopback."
    )
    behind_proxy: bool = Field(
        False, description="Whether a proxy before the server speaks TLS, so that the server need not."
    )
    ops_host: str = Field("127.0.0.1", description="The address on which metrics and probes are served.")
    ops_port: Port = Field(9100, description="The port of metrics and probes; 0 takes a free one.")
    connections_max: int = Field(
        4096,
        ge=1,
        description="The most connections of each plane; one more takes an idle or late one's place, or is refused.",
    )
    head_max_seconds: Seconds = Field(10.0, description="The longest that the head of a request may take to arrive.")
    body_max_seconds: Seconds = Field(60.0, description="The longest that the body of a request may take to arrive.")
    write_max_seconds: Seconds = Field(20.0, description="The longest that a client may take to accept an answer.")
    keep_alive_seconds: int = Field(
        75, ge=1, description="The longest that a connection may be idle between two requests."
    )
    stall_max_seconds: Seconds = Field(
        60.0, description="How long one database write may take before /livez reports the process as failed."
    )
    drain_delay_seconds: float = Field(
        1.0,
        ge=0,
        description="After SIGTERM: how long to go on answering, unready, until load balancers have seen it.",
    )
    drain_max_seconds: int = Field(
        15, ge=1, description="After that delay: the longest that open requests may take to finish."
    )

    # Classifying
    threads: Annotated[int, Field(ge=1, le=256)] = Field(
        default_factory=lambda: os.cpu_count() or 1, description="The number of threads that decode and classify."
    )
    resizing_threads: Annotated[int, Field(ge=1, le=256)] = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 1) // 4),
        description="The number of threads that bring pictures of other sizes to a classifier's; each may take 250 MB.",
    )
    own_size_families: str = Field(
        "",
        description="Families, separated by commas, whose frames must have the classifier's own size: "
        "ordinary JPEGs of another size are refused instead of being brought to it. *: all.",
    )
    batch_max_frames: int = Field(
        32,
        ge=1,
        le=1024,
        description="The most frames in a micro-batch; fewer where timing shows that fewer are faster.",
    )
    batch_max_seconds: Seconds = Field(0.1, description="The longest that a micro-batch may take.")
    classifier_overdue_seconds: Seconds = Field(
        1.0,
        description="How long a classifier may take for a micro-batch before its thread is replaced by a spare one, "
        "and further frames for it are refused until it ends.",
    )
    classifier_max_seconds: Seconds = Field(
        5.0, description="How long a classifier may take for a micro-batch before it is stopped."
    )
    classifier_load_max_seconds: Seconds = Field(
        120.0,
        description="How long a classifier may take to be loaded and tried out before that is given up, so that others "
        "are loaded.",
    )
    model_memory_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        default_factory=lambda: allowed_bytes() // 2 >> 20 << 20,
        description="The memory limit of all loaded classifiers; the least recently used ones are unloaded.",
    )
    queue_max_frames: int = Field(1024, ge=1, description="The most frames that may wait for a thread.")
    wait_max_seconds: Seconds = Field(
        10.0, description="The longest that a frame may wait; the DW-Timeout header asks for less."
    )

    # What is taken
    frame_max_bytes: int = Field(
        8 << 20, ge=1024, le=8 << 20, description="The size limit of a frame's body; a phone's picture has some 4 MiB."
    )
    batch_max_bytes: int = Field(4 << 20, ge=1024, description="The size limit of a batch's body.")
    bodies_max_bytes: int = Field(
        256 << 20, ge=1 << 20, description="The size limit of all request bodies in memory together."
    )
    blob_max_bytes: int = Field(512 << 20, ge=1024, description="The size limit of a file that an operator uploads.")
    quota_frames_per_second: Annotated[float, Field(gt=0)] = Field(
        1000.0, description="Sustained frames per second per device."
    )
    quota_burst_frames: int = Field(10_000, ge=BATCH_MAX_FRAMES, description="Frames that a device may post at once.")

    # The console
    console_session_hours: Annotated[float, Field(gt=0)] = Field(
        24.0, description="How long a login to the console lasts at most."
    )
    console_idle_hours: Annotated[float, Field(gt=0)] = Field(
        2.0, description="How long a login to the console lasts while nothing is asked for."
    )

    # Feedback
    sample_random_rate: Share = Field(
        0.001, description="The share of frames that is kept at random, for audits (0 to 1)."
    )
    baseline_rate: Share = Field(
        0.001, description="The share of frames of which is found out what ordinary JPEG would have cost (0 to 1)."
    )
    sample_confidence_below: Share = Field(
        0.5, description="Frames are kept whose answer has a lower confidence than this (0 to 1)."
    )
    sample_rare_share: Share = Field(
        0.1,
        description="Frames are kept whose label is answered less often than this share of an equal share (0 to 1).",
    )
    sample_hourly_max: int = Field(60, ge=0, description="The most frames that are kept per hour, family and reason.")
    sample_daily_max: int = Field(600, ge=0, description="The most frames that are kept per day, family and reason.")
    drift_frames_per_second: Annotated[float, Field(ge=0)] = Field(
        50.0, description="The most answered frames a second that are watched for drift; 0: none."
    )
    drift_device_seconds: Annotated[float, Field(ge=0)] = Field(
        10.0, description="A device's frames are watched for drift at least so many seconds apart."
    )
    samples_max_bytes: int = Field(1 << 30, ge=0, description="The size limit of all kept frames together.")
    recent_frames_max_bytes: int = Field(
        32 << 20,
        ge=0,
        description="The memory limit of recent frames, kept in case a later label contradicts the answer.",
    )
    samples_days: Annotated[float, Field(gt=0)] = Field(90.0, description="How many days kept frames are stored.")
    results_days: Annotated[float, Field(gt=0)] = Field(
        90.0,
        description="How many days answers, labels, events of devices and their part in ended rollouts are stored.",
    )
    report_days: Annotated[float, Field(gt=0)] = Field(
        400.0, description="How many days the hourly sums of `dctwire report` are stored."
    )

    # Events
    webhooks: Path | None = Field(
        None,
        description="A TOML file that names the endpoints which are told of changes and events, each with its URL and "
        "the file of its secrets. Unset: nobody is told.",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name is taken for one that others reach."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in words.

    Args:
        variable: the environment variable that sets it.
        default: its default on this machine.
        is_of_machine: whether another machine may have another default.
        meaning: what the setting is for.
    """

    variable: str
    default: str
    is_of_machine: bool
    meaning: str


def described(name: str) -> Setting:
    """Describe the setting of this name."""
    field = ServerSettings.model_fields[name]
    default = "required" if field.is_required() else _shown(name, field.get_default(call_default_factory=True))
    is_of_machine = field.default_factory is not None
    return Setting(f"DCTWIRE_SERVER_{name.upper()}", default, is_of_machine, field.description or "")


def _shown(name: str, default: object) -> str:
    """Write a default as people do; bytes in the largest unit that divides them."""
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
