"""How a camera is told who asks: a login from a file, and the answer to its challenge (RFC 7616 Digest, 7617 Basic)."""

import hashlib
import re
import stat
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sensor_client.sources.shot import SourceError

LOGIN_LIMIT_BYTES = 1024
CHALLENGE_LIMIT_CHARACTERS = 4096

_ALGORITHMS: Mapping[str, str] = {"SHA-256": "sha256", "MD5": "md5"}  # the better one first
_PART = re.compile(
    r"""[\s,]*(?:(?P<name>[\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+))"""
    r"""|(?P<scheme>[A-Za-z][\w-]*)(?=[\s,]|$))"""
)


@dataclass(frozen=True)
class Login:
    """A user's name and password. Neither stands in any log or error."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login(...)"


@dataclass(frozen=True)
class Challenge:
    """What a server asks for; the scheme and the names are in lower case."""

    scheme: str
    values: Mapping[str, str]


def read_login(path: Path) -> Login:
    """The login in a file of one line, `user:password`, that nobody but its owner may read.

    Raises:
        SourceError: it cannot be read, others may read it, or it holds something else.
    """
    try:
        with path.open("rb") as file:
            mode, content = path.stat().st_mode, file.read(LOGIN_LIMIT_BYTES + 1)
    except OSError as error:
        raise SourceError(f"the camera's login: {path}: {error.strerror or error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SourceError(f"the camera's login: others may read {path}: chmod 600 {path}")
    user, colon, password = content.decode(errors="replace").rstrip("\r\n").partition(":")
    if not user or not colon or len(content) > LOGIN_LIMIT_BYTES or "\n" in password or "\ufffd" in user + password:
        raise SourceError(f"the camera's login: {path} must hold one line, user:password")
    return Login(user, password)


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """The challenges in the values of WWW-Authenticate (RFC 9110 11.6.1), several of them in one value as well."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        for part in _PART.finditer(header[:CHALLENGE_LIMIT_CHARACTERS]):
            if part["scheme"]:
                found.append((part["scheme"].lower(), {}))
            elif found:
                value = part["bare"] if part["quoted"] is None else re.sub(r"\\(.)", r"\1", part["quoted"])
                found[-1][1].setdefault(part["name"].lower(), value)
    return [Challenge(*each) for each in found]


class Authentication:
    """Answers a camera's challenges, the best of them that is known here; remembers it for the requests after."""

    def __init__(self, login: Login, random: Callable[[], float]) -> None:
        """Args:
        random: uniform in [0, 1), for what makes each answer another one.
        """
        self._login = login
        self._random = random
        self._challenge: Challenge | None = None
        self._count = 0

    @property
    def sends_password(self) -> bool:
        """Whether the password itself is sent, and not a digest of it."""
        return self._challenge is not None and self._challenge.scheme == "basic"

    def take(self, offered: Iterable[Challenge]) -> bool:
        """Answer one of these from now on; whether that is worth another request: not where this login was refused."""
        chosen = min((each for each in offered if _rank(each) is not None), key=_known_rank, default=None)
        if chosen is None:
            return False
        has_aged = chosen.scheme == "digest" and (
            self._count > 1 or chosen.values.get("stale", "").lower() == "true"  # its nonce, which was good once
        )
        is_new = self._challenge is None or has_aged
        self._challenge, self._count = chosen, 0
        return is_new

    def forget(self) -> None:
        """Wait for a challenge again."""
        self._challenge = None

    def header(self, method: str, target: str) -> str | None:
        """The value of Authorization; None before there was a challenge."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return "Basic " + b64encode(f"{self._login.user}:{self._login.password}".encode()).decode()
        self._count += 1
        nonce = f"{int(self._random() * 2**52):013x}{self._count:08x}"
        return digest_answer(self._login, self._challenge.values, method, target, self._count, nonce)


def digest_answer(
    login: Login, challenge: Mapping[str, str], method: str, target: str, count: int, client_nonce: str
) -> str:
    """The value of Authorization that answers a Digest challenge (RFC 7616 3.4).

    Args:
        challenge: one that `Authentication` knows: MD5 or SHA-256, with `-sess` or without; qop auth, or none.
        count: of requests with this nonce, from 1.
    """
    algorithm = challenge.get("algorithm", "MD5")
    name = _ALGORITHMS[algorithm.upper().removesuffix("-SESS")]

    def hashed(*parts: str) -> str:
        return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

    realm, nonce = challenge.get("realm", ""), challenge["nonce"]
    secret = hashed(login.user, realm, login.password)
    if algorithm.upper().endswith("-SESS"):
        secret = hashed(secret, nonce, client_nonce)
    said = {"username": login.user, "realm": realm, "nonce": nonce, "uri": target}
    asked = hashed(method, target)
    bare = {"algorithm": algorithm} if "algorithm" in challenge else {}
    if "qop" in challenge:
        number = f"{count:08x}"
        said["response"] = hashed(secret, nonce, number, client_nonce, "auth", asked)
        said["cnonce"] = client_nonce
        bare |= {"qop": "auth", "nc": number}
    else:
        said["response"] = hashed(secret, nonce, asked)
    if "opaque" in challenge:
        said["opaque"] = challenge["opaque"]
    quoted = [f'{key}="{_escaped(value)}"' for key, value in said.items()]
    return "Digest " + ", ".join([*quoted, *(f"{key}={value}" for key, value in bare.items())])


def _rank(challenge: Challenge) -> int | None:
    """How good a challenge is, 0 for the best; None for one that is not known here."""
    if challenge.scheme == "basic":
        return len(_ALGORITHMS)
    algorithm = challenge.values.get("algorithm", "MD5").upper().removesuffix("-SESS")
    qop = {each.strip().lower() for each in challenge.values.get("qop", "auth").split(",")}
    if challenge.scheme != "digest" or algorithm not in _ALGORITHMS or "auth" not in qop:
        return None
    return list(_ALGORITHMS).index(algorithm) if challenge.values.get("nonce") else None


def _known_rank(challenge: Challenge) -> int:
    rank = _rank(challenge)
    assert rank is not None, "others were left out"
    return rank


def _escaped(value: str) -> str:
    plain = "".join(each for each in value if each.isprintable())
    return plain.replace("\\", "\\\\").replace('"', '\\"')
