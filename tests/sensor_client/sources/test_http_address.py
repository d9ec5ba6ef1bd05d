"""The address of a camera that speaks HTTP."""

import pytest

from sensor_client.sources import SourceError
from sensor_client.sources.http_address import HttpAddress


def test_an_address_is_shown_without_its_query_and_asked_with_it() -> None:
    address = HttpAddress.parse("http://[fe80::1]:8080/snap.cgi?user=admin&pwd=secret")

    assert (address.host, address.port, address.target) == ("fe80::1", 8080, "/snap.cgi?user=admin&pwd=secret")
    assert str(address) == "http://[fe80::1]:8080/snap.cgi"
    assert HttpAddress.parse("https://camera").target == "/"


def test_a_login_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SourceError, match="--source-login") as caught:
        HttpAddress.parse("http://admin:secret@camera/")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://", "ftp://camera/", "http://camera:x/", "http://camera:0/", "http://c/a b"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SourceError, match="address"):
        HttpAddress.parse(address)


def test_a_redirect_is_followed_on_the_same_host_alone() -> None:
    address = HttpAddress.parse("http://camera:8080/a/b")

    assert str(address.redirected("c.jpg")) == "http://camera:8080/a/c.jpg"
    assert str(address.redirected("/d?x=1")) == "http://camera:8080/d"
    for elsewhere in (
        "http://other:8080/",
        "https://camera:8080/",
        "http://camera/",
        "http://u:p@camera:8080/",
        "//x/",
        "//[",  # no host: urljoin refuses it
    ):
        assert address.redirected(elsewhere) is None
