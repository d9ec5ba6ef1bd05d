"""Where webhooks go: the endpoints that a file of the server's own names, and nothing from the network ever does."""

import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cloud_server.events.signing import secrets_of
from shared.errors import DctwireError
from shared.proxies import Proxy, is_loopback, proxy_for

ENDPOINTS_MAX = 16
FILE_BYTES_MAX = 64 * 1024
SECRET_FILE_BYTES_MAX = 4096
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
_log = structlog.get_logger()
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")
_Name = Annotated[str, StringConstraints(pattern=NAME)]
_Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.*-]{1,64}$")]


class WebhooksFileError(DctwireError):
    """The file that names the endpoints of webhooks, or a file that it names, cannot be used."""

    code: ClassVar[str] = "webhooks-file"

    def __init__(self, file: Path, fault: str) -> None:
        super().__init__(f"the webhooks of {file}: {fault}")
        self.file, self.fault = file, fault


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A program that wants to be told.

    Args:
        url: where it is told; not to be logged, for some services have a password in it.
        secret_file: holds what signs, one secret a line; it is read each time, so that secrets can be rotated.
        kinds: patterns of the kinds it wants, as a shell has them.
        proxy: what stands between, if anything.
    """

    name: str
    url: str
    secret_file: Path
    kinds: tuple[str, ...] = ("*",)
    proxy: Proxy | None = None

    @property
    def host(self) -> str:
        """Where it is, as may be shown."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def wants(self, kind: str) -> bool:
        """Whether it is to be told of this kind."""
        return any(fnmatchcase(kind, pattern) for pattern in self.kinds)

    def secrets(self) -> tuple[bytes, ...]:
        """What signs now.

        Raises:
            OSError: the file cannot be read.
            WebhookSecretError: it holds no secrets.
        """
        with self.secret_file.open(encoding="utf-8", errors="replace") as file:
            return secrets_of(file.read(SECRET_FILE_BYTES_MAX))


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name
    url: str
    secret_file: Path
    kinds: tuple[_Pattern, ...] = Field(("*",), min_length=1, max_length=64)
    allow_http: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: tuple[_Entry, ...] = Field(max_length=ENDPOINTS_MAX)


def endpoints_of(file: Path | None, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """The endpoints that a TOML file names; none where there is no file. A secret that everybody may read is logged.

    Args:
        environment: where `shared.proxies` looks for a proxy.

    Raises:
        WebhooksFileError: the file, a URL, a secret's file or a proxy cannot be used.
    """
    if file is None:
        return ()
    entries = _entries(file)
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise WebhooksFileError(file, "two endpoints have the same name")
    endpoints = tuple(_endpoint(entry, file, environment) for entry in entries)
    for endpoint in endpoints:
        try:
            endpoint.secrets()
        except (OSError, DctwireError) as error:
            raise WebhooksFileError(file, f"the secret_file of {endpoint.name}: {error}") from error
        if endpoint.secret_file.stat().st_mode & stat.S_IRWXO:
            advice = f"chmod o= {endpoint.secret_file}"
            _log.warning("webhook-secret-open", endpoint=endpoint.name, reason="everybody may read it", advice=advice)
    return endpoints


def _entries(file: Path) -> tuple[_Entry, ...]:
    try:
        with file.open(encoding="utf-8") as text:
            return _File.model_validate(tomllib.loads(text.read(FILE_BYTES_MAX))).endpoint
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        raise WebhooksFileError(file, f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    except (OSError, ValueError) as error:  # not TOML, or not text
        raise WebhooksFileError(file, str(error)) from error


def _endpoint(entry: _Entry, file: Path, environment: Mapping[str, str]) -> Endpoint:
    fault = _fault_of(entry)
    if fault is not None:
        raise WebhooksFileError(file, f"the url of {entry.name} {fault}")
    try:
        proxy = proxy_for(entry.url, environment)
    except DctwireError as error:
        raise WebhooksFileError(file, f"{entry.name}: {error}") from error
    return Endpoint(entry.name, entry.url, file.parent / entry.secret_file, entry.kinds, proxy)


def _fault_of(entry: _Entry) -> str | None:
    """What is wrong with a URL; it is not repeated, for it may hold a password."""
    try:
        parts = urlsplit(entry.url)
        host, is_whole = parts.hostname or "", parts.port is None or parts.port > 0
    except ValueError:
        return "is none"
    is_plain = all(" " < letter < "\x7f" for letter in entry.url)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or not is_whole or not is_plain:
        return "must begin with https://, and hold a host and no spaces"
    if parts.scheme == "http" and not is_loopback(host) and not entry.allow_http:
        return "is http, so that everybody between can read what is told; use https, or say allow_http = true"
    return None
