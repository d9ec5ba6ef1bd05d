"""Which proxy a call goes through."""

import pickle

import pytest

from shared.proxies import ProxyError, proxy_for

PROXY = "http://proxy.example:3128"
FAR = "http://cameras.example.com:8000"


@pytest.mark.parametrize(
    ("url", "environment", "variable"),
    [
        (FAR, {"HTTP_PROXY": PROXY}, "HTTP_PROXY"),
        (FAR, {"http_proxy": PROXY, "HTTP_PROXY": "http://other:1"}, "http_proxy"),
        (FAR, {"http_proxy": " ", "HTTP_PROXY": PROXY}, "HTTP_PROXY"),
        (FAR, {"ALL_PROXY": PROXY}, "ALL_PROXY"),
        (FAR, {"HTTP_PROXY": PROXY, "ALL_PROXY": "socks5://other:1080"}, "HTTP_PROXY"),
        (FAR, {"HTTPS_PROXY": PROXY}, None),
        ("https://cameras.example.com", {"HTTPS_PROXY": PROXY, "HTTP_PROXY": "socks5://x"}, "HTTPS_PROXY"),
        (FAR, {}, None),
        (FAR, {"HTTP_PROXY": ""}, None),
    ],
)
def test_a_proxy_is_taken_from_the_variable_of_the_scheme(
    url: str, environment: dict[str, str], variable: str | None
) -> None:
    proxy = proxy_for(url, environment)
    assert (proxy and (proxy.url, proxy.variable)) == (variable and (PROXY, variable))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.10",
        "localhost",
        "LOCALHOST",
        "a.localhost",
        "localhost.",
        "[::1]",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "ip6-localhost",
    ],
)
def test_loopback_is_never_reached_through_a_proxy_whatever_the_variables_hold(host: str) -> None:
    for value in (PROXY, "socks5://proxy:1080", "nonsense://", "http://[::1", "\n"):
        environment = {"HTTP_PROXY": value, "ALL_PROXY": value, "NO_PROXY": "[::1]"}
        assert proxy_for(f"http://{host}:8001/v1", environment) is None


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("cameras.example.com", "cameras.example.com"),
        ("cameras.example.com", "Example.COM"),
        ("cameras.example.com", ".example.com"),
        ("cameras.example.com", "*.example.com"),
        ("cameras.example.com", "example.com."),
        ("cameras.example.com.", "example.com"),
        ("cameras.example.com:8000", "example.com:8000"),
        ("cameras.example.com", "*"),
        ("cameras.example.com", "elsewhere, ,other example.com"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3:8000", "10.1.2.3:8000"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("[2001:db8::1]:8000", "[2001:db8::1]:8000"),
        ("[2001:DB8:0::1]", "2001:db8::/32"),
        ("[2001:db8::1]", "[2001:db8::]/32"),
        ("cameras.example.com:80", "example.com:80"),
        ("cameras.example.com", "example.com:80"),
    ],
)
def test_what_no_proxy_names_is_reached_directly(host: str, entry: str) -> None:
    for variable in ("NO_PROXY", "no_proxy"):
        assert proxy_for(f"http://{host}", {"HTTP_PROXY": PROXY, variable: entry}) is None


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("cameras.example.com", "ample.com"),
        ("example.com", "cameras.example.com"),
        ("cameras.example.com:8000", "example.com:8001"),
        ("10.1.2.3", "10.1.2.4"),
        ("10.1.2.3", "192.168.0.0/16"),
        ("10.1.2.3", "2.3"),
        ("cameras.example.com", "10.0.0.0/8"),
        ("cameras.example.com", "[::1]"),
        ("cameras.example.com", "[::1"),
        ("[2001:db8::1]:8000", "[2001:db8::1]:8001"),
        ("10.1.2.3", "300.1.1.1/99, [, ], :, /, *.,."),
        ("cameras.example.com", "300.1.1.1/99, [, ], :, /, *.,."),
    ],
)
def test_what_no_proxy_does_not_name_is_not_and_a_malformed_entry_names_nothing(host: str, entry: str) -> None:
    proxy = proxy_for(f"http://{host}", {"HTTP_PROXY": PROXY, "NO_PROXY": entry})
    assert proxy is not None


@pytest.mark.parametrize(
    "value", ["proxy.example:3128", "http://user:pa%40ss@proxy.example:3128/", "https://p.example"]
)
def test_a_proxy_may_leave_out_its_scheme_and_its_password_is_never_shown(value: str) -> None:
    proxy = proxy_for(FAR, {"HTTP_PROXY": value})
    assert proxy is not None
    assert proxy.url.endswith(value)
    assert "that HTTP_PROXY names" in str(proxy)
    assert "pa%40ss" not in str(proxy)


@pytest.mark.parametrize(
    "value",
    [
        "socks5://proxy:1080",
        "SOCKS4://p:secret@x",
        "socks5h://x",
        "ftp://proxy",
        "http://",
        "http://proxy:secret",
        "http://[::1",
        "http://proxy:99999",
        "http://proxy/secret",
        "http://pro xy",
        "http://prox\x00y",
        "://",
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_by_its_variable_and_never_by_its_value(value: str) -> None:
    with pytest.raises(ProxyError, match=r"^http_proxy .* NO_PROXY") as told:
        proxy_for(FAR, {"http_proxy": value})
    assert told.value.variable == "http_proxy"
    assert "cameras.example.com" in str(told.value)
    assert "secret" not in str(told.value)
    assert ("SOCKS" in str(told.value)) == value.lower().startswith("socks")
    assert str(pickle.loads(pickle.dumps(told.value))) == str(told.value)
