"""The environment variables that programs of dctwire read: all of them, so that a mistyped one is noticed.

A program is told of variables that other programs read, too: they often share one environment.
"""

import difflib
import re
from collections.abc import Iterable, Mapping

from shared.errors import DctwireError

PREFIX = "DCTWIRE_"


def _named(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(prefix + name for name in names.split())


SERVER = _named(
    "DCTWIRE_SERVER_",
    """
    DATA KEYS DATABASE_URL DATABASE_MAX_SECONDS S3_BUCKET S3_PREFIX S3_ENDPOINT S3_REGION S3_ACCESS_KEY_ID
    S3_SECRET_ACCESS_KEY S3_VIRTUAL_HOSTED S3_ALLOW_HTTP S3_TIMEOUT_SECONDS CACHE_MAX_BYTES DEVICE_HOST DEVICE_PORT
    OPERATOR_HOST OPERATOR_PORT OPERATOR_HOSTS OPS_HOST OPS_PORT CONNECTIONS_MAX HEAD_MAX_SECONDS BODY_MAX_SECONDS
    WRITE_MAX_SECONDS KEEP_ALIVE_SECONDS STALL_MAX_SECONDS DRAIN_DELAY_SECONDS DRAIN_MAX_SECONDS THREADS
    BATCH_MAX_FRAMES BATCH_MAX_SECONDS MODEL_MEMORY_BYTES QUEUE_MAX_FRAMES WAIT_MAX_SECONDS FRAME_MAX_BYTES
    BATCH_MAX_BYTES BODIES_MAX_BYTES BLOB_MAX_BYTES QUOTA_FRAMES_PER_SECOND QUOTA_BURST_FRAMES SAMPLE_RANDOM_RATE
    SAMPLE_CONFIDENCE_BELOW SAMPLE_RARE_SHARE SAMPLE_HOURLY_MAX SAMPLE_DAILY_MAX SAMPLES_MAX_BYTES
    RECENT_FRAMES_MAX_BYTES SAMPLES_DAYS RESULTS_DAYS REPORT_DAYS OWN_SIZE_FAMILIES RESIZING_THREADS
    CLASSIFIER_OVERDUE_SECONDS CLASSIFIER_MAX_SECONDS DEVICE_HOSTS OPS_HOSTS TLS_CERTIFICATE TLS_KEY OPERATOR_TLS
    BEHIND_PROXY TRUSTED_PROXIES CLASSIFIER_LOAD_MAX_SECONDS WEBHOOKS
    CONSOLE_SESSION_HOURS CONSOLE_IDLE_HOURS BASELINE_RATE DRIFT_FRAMES_PER_SECOND DRIFT_DEVICE_SECONDS
    """,
)
SENSOR = _named(
    "DCTWIRE_SENSOR_",
    """
    STATE SERVER CLAIM ROOT CA CONFIG LOG_LEVEL LOG_FILE METRICS_FILE METRICS_PORT METRICS_HOST
    REMOTE REMOTE_RATE_MAX REMOTE_BUDGET_HOUR_MAX REMOTE_BUDGET_DAY_MAX REMOTE_BUDGET_MONTH_MAX REMOTE_SHARE_MAX
    REMOTE_DETAILS_MAX REMOTE_REGION
    SOURCE WATCH DELETE_TAKEN NEWEST SOURCE_LOGIN SOURCE_CA
    RATE STREAM SEND_LABELS PROBES SAMPLE ON_CHANGE KEEP_ALIVE ACTIVE REGION RARE_LABELS TRANSCODE
    DETAILS DETAILS_HOUR DETAILS_QUALITY
    BATCH LINGER POLL DEADLINE BUDGET_HOUR BUDGET_DAY BUDGET_MONTH BUDGET_HARD METERED
    SPOOL_BYTES SPOOL_FRAMES SPOOL_DAYS
    """,
)
OPERATOR = _named("DCTWIRE_OPERATOR_", "URL TOKEN TOKEN_FILE INSECURE")
TRAINER = _named("DCTWIRE_", "DATA CACHE")
WORKSHOP = _named(
    "DCTWIRE_", "ATTACKS DEMO_STARTED FUZZ_RUNS LADDER REQUIRE_SYSTEM_PACKAGES SCREENSHOTS"
)  # demo, tests, benchmarks
KNOWN = frozenset((*SERVER, *SENSOR, *OPERATOR, *TRAINER, *WORKSHOP))

_MISSPELT_PREFIX = 0.9
"""How like a known variable a name without our prefix must be (difflib's ratio) to be taken for it."""
# Kubernetes tells each container of the services around it: one called dctwire-server makes DCTWIRE_SERVER_PORT.
_SERVICE = re.compile(r"_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")


class UnknownVariableError(DctwireError):
    """Variables that look like ours, but that no program reads: somebody's setting would be passed over.

    Args:
        names: the variables; their values are never repeated.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(" ".join(map(_told, self.names)))


def require_known(environment: Mapping[str, str]) -> None:
    """Whether every variable that looks like ours is one that a program of dctwire reads.

    Raises:
        UnknownVariableError: one is not.
    """
    unknown = [name for name, value in environment.items() if not _is_fine(name, value)]
    if unknown:
        raise UnknownVariableError(sorted(unknown))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name that somebody probably meant; None when none is near."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def _is_fine(name: str, value: str) -> bool:
    if name in KNOWN:
        return True
    if name.upper().startswith(PREFIX):
        return _SERVICE.search(name) is not None or (name.endswith("_PORT") and _SERVICE_URL.match(value) is not None)
    is_like_ours = name[:1] == PREFIX[0] and difflib.get_close_matches(name, KNOWN, n=1, cutoff=_MISSPELT_PREFIX)
    return not is_like_ours


def _told(name: str) -> str:
    meant = nearest(name.upper(), sorted(KNOWN))
    advice = f"did you mean {meant}?" if meant else "remove it."
    return f"The environment variable {name} is none that dctwire reads: {advice}"
