"""What can be set, by flag or by `DCTWIRE_SERVER_*` variable, and its default."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from cloud_server.inference.memory import allowed_bytes
from shared.wire import BATCH_MAX_FRAMES

Port = Annotated[int, Field(ge=0, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]


class ServerSettings(BaseSettings):
    """Settings of one server process. Port 0 takes any free one; `addresses.json` says which."""

    model_config = SettingsConfigDict(env_prefix="DCTWIRE_SERVER_", frozen=True, extra="forbid")

    data: Path
    database_url: SecretStr | None = None
    database_max_seconds: Annotated[float, Field(gt=0)] = 10.0
    s3_bucket: str | None = None
    s3_prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]+/)*$")] = ""
    s3_endpoint: str | None = None
    s3_region: str = "us-east-1"
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None
    s3_virtual_hosted: bool = False
    s3_allow_http: bool = False
    s3_timeout_seconds: Annotated[float, Field(gt=0)] = 10.0
    cache_max_bytes: Annotated[int, Field(ge=0)] = 4 << 30
    device_host: str = "0.0.0.0"  # noqa: S104 - cameras come from outside
    device_port: Port = 8000
    operator_host: str = "127.0.0.1"
    operator_port: Port = 8001
    ops_host: str = "127.0.0.1"
    ops_port: Port = 9100
    threads: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=lambda: os.cpu_count() or 1)
    batch_max_frames: Annotated[int, Field(ge=1, le=1024)] = 32
    batch_max_seconds: Annotated[float, Field(gt=0)] = 0.1
    model_memory_bytes: Annotated[int, Field(ge=1 << 20)] = Field(default_factory=lambda: allowed_bytes() // 2)
    queue_max_frames: Annotated[int, Field(ge=1)] = 1024
    quota_frames_per_second: Annotated[float, Field(gt=0)] = 1000.0
    quota_burst_frames: Annotated[int, Field(ge=BATCH_MAX_FRAMES)] = 10_000
    connections_max: Annotated[int, Field(ge=1)] = 4096
    bodies_max_bytes: Annotated[int, Field(ge=1 << 20)] = 256 << 20
    wait_max_seconds: Annotated[float, Field(gt=0)] = 10.0
    frame_max_bytes: Annotated[int, Field(ge=1024)] = 1 << 20
    batch_max_bytes: Annotated[int, Field(ge=1024)] = 4 << 20
    blob_max_bytes: Annotated[int, Field(ge=1024)] = 512 << 20
    body_max_seconds: Annotated[float, Field(gt=0)] = 60.0
    head_max_seconds: Annotated[float, Field(gt=0)] = 10.0
    keep_alive_seconds: Annotated[int, Field(ge=1)] = 75
    drain_delay_seconds: Annotated[float, Field(ge=0)] = 1.0
    drain_max_seconds: Annotated[int, Field(ge=1)] = 15
    sample_random_rate: Share = 0.001
    sample_confidence_below: Share = 0.5
    sample_rare_share: Share = 0.1
    sample_hourly_max: Annotated[int, Field(ge=0)] = 60
    sample_daily_max: Annotated[int, Field(ge=0)] = 600
    samples_max_bytes: Annotated[int, Field(ge=0)] = 1 << 30
    recent_frames_max_bytes: Annotated[int, Field(ge=0)] = 32 << 20
    samples_days: Annotated[float, Field(gt=0)] = 90.0
    results_days: Annotated[float, Field(gt=0)] = 90.0
