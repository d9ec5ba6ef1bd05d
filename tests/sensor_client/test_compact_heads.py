"""Heads without needless spaces."""

from sensor_client.clock import SystemClock
from sensor_client.http_line import HttpLine
from tests.http_proxy import HttpProxy
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.raw_server import RawServer, whole

FINE = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")


def test_every_header_goes_without_a_space_and_every_value_and_body_as_it_is() -> None:
    body = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"
    with RawServer(FINE) as server, HttpLine(server.url, SystemClock()) as line:
        for _ in range(2):
            line.exchange("POST", "/v1/frames", {"Authorization": "Bearer x: y", "Prefer": "return=minimal"}, body)

    host = server.requests[0].split(b"\r\n")[1].removeprefix(b"Host:")
    said = b"POST /v1/frames HTTP/1.1\r\nHost:%s\r\nAuthorization:Bearer x: y\r\nPrefer:return=minimal\r\n" % host
    assert server.requests == [said + b"Content-Length:%d\r\n\r\n" % len(body) + body] * 2
    assert server.connections == 1


def test_a_real_parser_reads_them_also_through_a_proxy() -> None:
    with DevicePlane() as plane, HttpProxy() as proxy:
        url = f"http://cameras.example:{plane.url.rpartition(':')[2]}"
        with HttpLine(url, SystemClock(), {"HTTP_PROXY": proxy.url}) as line:
            line.exchange("POST", "/v1/frames", {"DW-Sequence": "7"}, b"body")

    assert plane.requests[0].headers["dw-sequence"] == "7" and plane.requests[0].body == b"body"
