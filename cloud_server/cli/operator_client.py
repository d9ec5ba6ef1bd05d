"""The operator plane as functions. The CLI's one door to httpx."""

import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import httpx

from shared.errors import ChannelError, DctwireError, RefusedError
from shared.proxies import proxy_for
from shared.trust import NotPublishedError
from shared.wire import DOCUMENT_PATH, Plane, ProblemCode, plane_of

TIMEOUT_SECONDS = 120.0
_SHOWN_CHARACTERS = 200
_PATH = re.compile(r"(?:/(?!(?:\.|%2e){1,2}(?:/|\Z))[^/?#\x00-\x1f\x7f\ud800-\udfff]{1,256})+", re.IGNORECASE)
"""A path whose every part is a name: with `.`, `..`, `?` or `#` one that somebody typed would lead to another route."""


class AddressError(DctwireError):
    """This is no server's address."""

    code: ClassVar[str] = "address"


class NameTypedError(DctwireError):
    """What somebody typed as a name is none of anything."""

    code: ClassVar[str] = ProblemCode.BAD_REQUEST

    def __init__(self, path: str) -> None:
        super().__init__(f"{path[:_SHOWN_CHARACTERS]!r} is asked for nowhere: there is a name in it that nothing has")
        self.path = path


class UnreachableError(ChannelError):
    """Nothing answers, or not in time."""

    code: ClassVar[str] = "unreachable"


class UnreachableByProxyError(UnreachableError):
    """A proxy stands between, and nothing answers through it."""

    code: ClassVar[str] = "unreachable-by-proxy"


class NoTlsError(UnreachableError):
    """No secure connection comes about: another protocol is spoken there, or the certificate is not trusted."""

    code: ClassVar[str] = "no-tls"


class NotOperatorPlaneError(DctwireError):
    """Something else answers there."""

    code: ClassVar[str] = "wrong-plane"


class ServerFaultError(ChannelError):
    """The server cannot do it now.

    Args:
        code: its problem code.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail = status, code, detail


class OperatorClient:
    """Talks to one server's operator plane.

    Every method raises RefusedError when the server says no, UnreachableError or ServerFaultError when it cannot be
    asked or cannot do it now, NotOperatorPlaneError when something else answers, and NameTypedError, before anything
    is sent, where a part of the path is no name.
    """

    def __init__(self, url: str, token: str | None, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        """Prepare; nothing is sent yet.

        Args:
            token: the operator's; None sends none, and is told by the server what is missing.
            environment: where `shared.proxies` looks for a proxy.

        Raises:
            AddressError: `url` is not an http or https URL.
            ProxyError: it is to be reached through a proxy that cannot be used.
        """
        address = _parsed(url)
        try:
            proxy = proxy_for(url, environment)
        except ValueError as error:
            raise AddressError(f"{url} is no address: {error}") from error
        self._url = str(address.copy_with(userinfo=b"")).rstrip("/")
        self._via = f" (through {proxy})" if proxy else ""
        self._is_operator_plane = False
        self._http = httpx.Client(
            base_url=address,
            headers={} if token is None else {"authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            verify=httpx.create_ssl_context() if address.scheme == "https" else False,
            proxy=proxy.url if proxy else None,
            trust_env=False,  # httpx's own reading of the environment fails on values that are quite usual
        )

    @property
    def address(self) -> str:
        """The server's operator plane, without what logs in to a proxy or the like."""
        return self._url

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """A JSON document."""
        return self._json("GET", path, params=query)

    def get_bytes(self, path: str) -> bytes:
        """A file."""
        return self._ask("GET", path).content

    def put(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send JSON or nothing, get JSON."""
        return self._json("PUT", path, json=body)

    def put_nothing_back(self, path: str, body: dict[str, Any]) -> None:
        """Send JSON to a route that answers with nothing."""
        self._ask("PUT", path, json=body)

    def delete(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Send nothing, get JSON."""
        return self._json("DELETE", path, params=query)

    def post(self, path: str, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Any:
        """Send JSON, get JSON."""
        return self._json("POST", path, json=body, headers=headers)

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

    def _json(self, method: str, path: str, **arguments: Any) -> Any:
        response = self._ask(method, path, **arguments)
        try:
            return response.json()
        except ValueError:
            raise self._no_plane(response) from None

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        response = self._exchange(method, path, **arguments)
        if response.is_success:
            return response
        self._require_operator_plane(response)
        code, detail = _problem(response)
        if response.is_server_error:
            raise ServerFaultError(response.status_code, code, f"{detail}{self._via}")
        raise RefusedError(response.status_code, code, detail)

    def _exchange(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        if not _PATH.fullmatch(path):
            raise NameTypedError(path)
        try:
            return self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            kind = UnreachableByProxyError if self._via else NoTlsError if _is_about_tls(error) else UnreachableError
            raise kind(f"{self._url}: {error or type(error).__name__}{self._via}") from error

    def _require_operator_plane(self, refusal: httpx.Response) -> None:
        """Whether it was an operator plane that refused; asked once, for it says so itself."""
        if self._is_operator_plane:
            return
        answer = self._exchange("GET", DOCUMENT_PATH)
        plane = plane_of(answer.content) if answer.is_success else None
        if plane is None:
            raise self._no_plane(refusal)
        if plane is not Plane.OPERATOR:
            raise NotOperatorPlaneError(f"{self._url} is the {plane}, not the {Plane.OPERATOR}{self._via}")
        self._is_operator_plane = True

    def _no_plane(self, response: httpx.Response) -> NotOperatorPlaneError:
        kind = response.headers.get("content-type", "nothing").partition(";")[0]
        return NotOperatorPlaneError(
            f"{self._url} answers {response.status_code} with {kind[:50]}, as no {Plane.OPERATOR} does{self._via}"
        )


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _parsed(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise AddressError(f"{url} is no address: {error}") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise AddressError(f"{url} is no address: it begins with http:// or https://, then comes the host")
    return address


def _problem(response: httpx.Response) -> tuple[str, str]:
    try:
        problem = response.json()
        return str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return "", response.text[:_SHOWN_CHARACTERS]
