"""How a camera is told who asks."""

import hashlib
from pathlib import Path

import pytest

from sensor_client.sources import SourceError
from sensor_client.sources.camera_login import Authentication, Challenge, Login, challenges, digest_answer, read_login

MUFASA = Login("Mufasa", "Circle of Life")
# RFC 7616 3.9.1: the same request, answered with either algorithm.
EXAMPLE = {
    "realm": "http-auth@example.org",
    "qop": "auth, auth-int",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
}
CLIENT_NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_a_digest_is_that_of_the_standards_example(algorithm: str, response: str) -> None:
    said = digest_answer(MUFASA, EXAMPLE | {"algorithm": algorithm}, "GET", "/dir/index.html", 1, CLIENT_NONCE)

    assert f'response="{response}"' in said and f"algorithm={algorithm}" in said
    assert 'username="Mufasa"' in said and "nc=00000001" in said and f'opaque="{EXAMPLE["opaque"]}"' in said


def test_a_digest_without_quality_of_protection_is_that_of_rfc_2069() -> None:
    challenge = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"}

    said = digest_answer(Login("Mufasa", "CircleOfLife"), challenge, "GET", "/dir/index.html", 1, "x")

    assert 'response="1949323746fe6a43ef61f9606e7febea"' in said and "qop" not in said and "algorithm" not in said


def test_a_digest_of_a_session_has_both_nonces_in_its_secret() -> None:
    """RFC 7616 3.4.2: A1 is H(user:realm:password):nonce:cnonce."""

    def hashed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    secret = hashed("u:r:p")
    wanted = hashed(f"{hashed(f'{secret}:n:c')}:n:00000002:c:auth:{hashed('GET:/x')}")

    said = digest_answer(
        Login("u", "p"), {"realm": "r", "nonce": "n", "qop": "auth", "algorithm": "SHA-256-sess"}, "GET", "/x", 2, "c"
    )

    assert f'response="{wanted}"' in said and "algorithm=SHA-256-sess" in said


def test_challenges_are_read_from_one_header_or_several() -> None:
    read = challenges(['Digest realm="a, \\"b\\"", nonce=n1, qop="auth,auth-int", Basic realm="cam"', "NTLM"])

    assert read == [
        Challenge("digest", {"realm": 'a, "b"', "nonce": "n1", "qop": "auth,auth-int"}),
        Challenge("basic", {"realm": "cam"}),
        Challenge("ntlm", {}),
    ]
    assert challenges(["", "= , =", '"', "x" * 100_000]) is not None


def test_the_best_challenge_is_answered_and_one_that_is_unknown_is_not() -> None:
    def scheme_for(*headers: str) -> str | None:
        authentication = Authentication(Login("u", "p"), lambda: 0.5)
        return (authentication.header("GET", "/") or "") if authentication.take(challenges(headers)) else None

    md5, sha = 'Digest realm="r", nonce="1"', 'Digest realm="r", nonce="2", algorithm=SHA-256'
    assert "algorithm=SHA-256" in (scheme_for('Basic realm="r"', md5, sha) or "")
    assert (scheme_for('Basic realm="r"', md5) or "").startswith("Digest ")
    assert scheme_for('Basic realm="r"') == "Basic dTpw"
    for unknown in ("NTLM", 'Digest realm="r"', 'Digest nonce="1", qop="auth-int"', 'Digest nonce="1", algorithm=X'):
        assert scheme_for(unknown) is None


def test_a_login_that_was_refused_is_not_sent_again_but_one_whose_nonce_aged_is() -> None:
    authentication = Authentication(Login("u", "p"), lambda: 0.5)

    def takes(more: str, nonce: int) -> bool:
        return authentication.take(challenges([f'Digest realm="r", nonce="{nonce}", qop="auth"{more}']))

    assert authentication.header("GET", "/") is None
    assert takes("", 1)
    first, second = (authentication.header("GET", "/") for _ in range(2))
    assert first != second and "nc=00000002" in (second or "")
    assert takes("", 2)
    authentication.header("GET", "/")
    assert not takes("", 3) and takes(", stale=TRUE", 4)
    authentication.forget()
    assert authentication.header("GET", "/") is None


def test_a_login_stands_in_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "login"
    file.write_text("admin:pass:word\n")
    file.chmod(0o600)

    login = read_login(file)

    assert (login.user, login.password) == ("admin", "pass:word") and "pass" not in repr(login)
    file.chmod(0o640)
    with pytest.raises(SourceError, match="chmod 600"):
        read_login(file)


@pytest.mark.parametrize("content", [b"", b"admin", b":secret", b"a:b\nc:d\n", b"\xff:x", b"a:" + b"x" * 2000])
def test_a_file_that_holds_no_login_is_refused_without_being_repeated(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "login"
    file.write_bytes(content)
    file.chmod(0o600)

    with pytest.raises(SourceError, match="one line, user:password") as caught:
        read_login(file)
    assert "secret" not in str(caught.value)
    with pytest.raises(SourceError, match="No such file"):
        read_login(tmp_path / "gone")
