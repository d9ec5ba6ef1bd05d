"""The operator plane as functions. The CLI's one door to httpx."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from shared.errors import ChannelError, RefusedError
from shared.trust import NotPublishedError

TIMEOUT_SECONDS = 120.0


class OperatorClient:
    """Talks to one server's operator plane.

    Every method raises RefusedError when the server says no, ChannelError when it cannot be asked.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """A JSON document."""
        return self._ask("GET", path, params=query).json()

    def get_bytes(self, path: str) -> bytes:
        """A file."""
        return self._ask("GET", path).content

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON, get JSON."""
        return self._ask("PUT", path, json=body).json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON, get JSON."""
        return self._ask("POST", path, json=body).json()

    def put_file(self, path: str, file: Path) -> None:
        """Upload a file as a raw body."""
        with file.open("rb") as content:
            self._ask("PUT", path, content=content)

    def fetch_tuf(self, name: str) -> Iterator[bytes]:
        """One TUF file, as `shared.trust.TrustClient` wants it.

        Raises:
            NotPublishedError: there is none.
        """
        try:
            yield self._ask("GET", f"/tuf/{name}").content
        except RefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                raise NotPublishedError(name) from error
            raise

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise ChannelError(f"{self._url}: {error}") from error
        if response.is_success:
            return response
        code, detail = _problem(response)
        if response.is_server_error:
            raise ChannelError(f"{response.status_code} {code}: {detail}")
        raise RefusedError(response.status_code, code, detail)


def _problem(response: httpx.Response) -> tuple[str, str]:
    try:
        problem = response.json()
        return str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return "", response.text[:200]
