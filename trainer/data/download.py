"""The trainer's one door to httpx: a published file comes whole and as published, or a DatasetError says why not."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from shared.proxies import Proxy, proxy_for
from trainer.errors import DatasetError


@dataclass(frozen=True)
class Published:
    """A file that anybody may fetch, and how to know it."""

    file_name: str
    url: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Patience:
    """How long to wait: for a connection, for the next byte, and for the whole file."""

    connect_seconds: float = 15
    silence_seconds: float = 60
    deadline_seconds: float = 6 * 3600


PATIENT = Patience()


def download(
    published: Published,
    path: Path,
    clock: Callable[[], float],
    progress: Callable[[int, int], None] = lambda *_: None,
    patience: Patience = PATIENT,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Put the file at `path`, where it appears whole.

    A download that broke off leaves its bytes beside the file, and the next one goes on from there.

    Args:
        clock: seconds, monotonic.
        progress: called with bytes that are here and bytes in all.
        environment: where `shared.proxies` looks for a proxy.

    Raises:
        ProxyError: it is to come through a proxy that cannot be used.
        DatasetError: it did not come, not whole, not in time, or is another file than the published one.
    """
    part = path.with_name(f"{path.name}.part")
    proxy = proxy_for(published.url, environment)
    _Transfer(published, part, clock, progress, patience, proxy).run()
    _check(published, part)
    part.replace(path)


def is_published(published: Published, path: Path) -> bool:
    """Whether the published file itself lies at `path`."""
    if not path.is_file() or path.stat().st_size != published.size_bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == published.sha256


@dataclass(frozen=True)
class _Transfer:
    published: Published
    part: Path
    clock: Callable[[], float]
    progress: Callable[[int, int], None]
    patience: Patience
    proxy: Proxy | None

    def run(self) -> None:
        """Ask for what is missing, and write it down as it comes."""
        here = self.part.stat().st_size if self.part.exists() else 0
        if here == self.published.size_bytes:
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
        timeout = httpx.Timeout(self.patience.silence_seconds, connect=self.patience.connect_seconds)
        try:
            with self._client(timeout) as client, client.stream("GET", self.published.url, headers=headers) as response:
                self._receive(response, here)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._fault(f"{error or type(error).__name__}") from error

    def _client(self, timeout: httpx.Timeout) -> httpx.Client:
        return httpx.Client(
            timeout=timeout,
            follow_redirects=True,
            proxy=self.proxy.url if self.proxy else None,
            trust_env=False,  # httpx's own reading of the environment fails on values that are quite usual
            verify=httpx.create_ssl_context(),
        )

    def _receive(self, response: httpx.Response, here: int) -> None:
        goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
        if not goes_on and response.status_code != httpx.codes.OK:
            self.part.unlink(missing_ok=True)
            raise self._fault(f"the server answers {response.status_code} {response.reason_phrase}")
        with self.part.open("ab" if goes_on else "wb") as file:
            self._write(response, file, here if goes_on else 0)

    def _write(self, response: httpx.Response, file: IO[bytes], here: int) -> None:
        deadline = self.clock() + self.patience.deadline_seconds
        for chunk in response.iter_raw():
            here += len(chunk)
            if here > self.published.size_bytes:
                self.part.unlink()
                raise self._fault(f"more bytes come than the published {self.published.size_bytes}")
            file.write(chunk)
            self.progress(here, self.published.size_bytes)
            if self.clock() > deadline:
                raise self._fault(f"not whole within {self.patience.deadline_seconds:g} s")
        if here < self.published.size_bytes:
            raise self._fault(f"only {here} of {self.published.size_bytes} bytes came")

    def _fault(self, detail: str) -> DatasetError:
        advice = "the same command goes on from there, or put the file there by other means"
        path, via = self.part.with_suffix(""), f" through {self.proxy}" if self.proxy else ""
        return DatasetError(path, f"cannot be fetched from {self.published.url}{via}: {detail}; {advice}")


def _check(published: Published, part: Path) -> None:
    if not is_published(published, part):
        part.unlink()
        raise DatasetError(
            part.with_suffix(""),
            f"what {published.url} sends is not the published file (its SHA-256 is not {published.sha256})",
        )
