"""What the console costs: a real server with 10,000 devices on one core, and a real browser on another.

Each page in the navigation, and the first page that each of these lists (`_one`), is loaded again and again by somebody
who is logged in: the server's processor time a page (what it does meanwhile anyway is taken off), and the bytes of a
first load, with everything that the page needs, as sent. Chromium says when it painted first, without anything cached.
`frame_us_*`: the server's processor time a frame with 20 overviews open and with none, in turns; its `ratio` is the
median of pairs. From each turn is taken off what the server spends in as long a time without frames, with as many
overviews open: the ticks of open overviews cost the same whether frames come or not, and are told apart, as
`idle_ms_a_second_*` of processor time. n counts the loads of each page.
"""

import argparse
import re
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks import record
from benchmarks.fleet_frames import Load
from benchmarks.fleet_server import FleetServer
from cloud_server.console.overview import EVERY_TICKS
from cloud_server.console.stream import TICK_SECONDS
from tests.cloud_server.harness.browser import Browser, chromium

DEVICES, OPEN_CONSOLES = 10_000, 20
FIRST_PAINT_MS, FIRST_LOAD_BYTES, PAGE_CPU_MS = 300.0, 60 << 10, 30.0
IDLE_SECONDS, PLACE_SECONDS = 5.0, 20.0
TICKS_SECONDS = 2 * EVERY_TICKS * TICK_SECONDS
"""Two renderings of an overview that is followed."""
_LINK = re.compile(r'<a href="(/console/[^"]*)"[^>]*data-key=')
_NEEDED = re.compile(r'(?:href|src)="(/console/static/[^"]+)"')
_PAINTED = "return performance.getEntriesByName('first-contentful-paint').map((each) => each.startTime)[0] || null"


@dataclass(frozen=True)
class Scale:
    """How large a run is."""

    devices: int
    loads: int
    turns: int
    load_seconds: float


WHOLE, QUICK = Scale(DEVICES, loads=40, turns=6, load_seconds=5.0), Scale(300, loads=5, turns=1, load_seconds=1.0)


def main() -> None:
    """Measure and tell; `--out` writes the record."""
    options = argparse.ArgumentParser(description="What the console costs.")
    options.add_argument("--quick", action="store_true", help="a try of a minute, with few devices")
    options.add_argument("--out", action="store_true", help="write benchmarks/results/console.json")
    chosen = options.parse_args()
    scale = QUICK if chosen.quick else WHOLE
    figures = measure(scale)
    for name, value in figures.items():
        print(f"{name:40} {value:12.5g}")
    print(f"limits: first paint {FIRST_PAINT_MS} ms, first load {FIRST_LOAD_BYTES} bytes, {PAGE_CPU_MS} ms a page")
    if chosen.out:
        record.write("console", scale.loads, figures, f"{scale.devices} devices, loopback, server on one core")


def measure(scale: Scale) -> Mapping[str, float]:
    """All figures, of one server."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(FleetServer(folder, scale.devices))
        http = stack.enter_context(_logged_in(server))
        figures: dict[str, float] = {}
        for name, path in _paths(http).items():
            figures[f"page_cpu_ms_{name}"] = _cpu_ms(server, lambda path=path: http.get(path), scale.loads)  # type: ignore[misc]
            figures[f"first_load_bytes_{name}"] = float(_first_load_bytes(http, path))
        if shutil.which("chromium") and shutil.which("chromedriver"):
            browser = stack.enter_context(chromium(server.running.addresses["operator"], folder))
            figures["first_paint_ms"] = statistics.median(_paints(server, browser, scale.loads))
        figures.update(_frames(server, http, scale))
        return figures


@contextmanager
def _logged_in(server: FleetServer) -> Iterator[httpx.Client]:
    """Somebody who has logged in with a one-time code."""
    address = server.running.addresses["operator"]
    with httpx.Client(base_url=address, timeout=30, headers={"accept-encoding": "gzip"}) as http:
        entered = http.post("/console/login", data={"code": _code(server)}, headers={"origin": address})
        assert entered.status_code == 303, entered.text
        yield http


def _code(server: FleetServer) -> str:
    with closing(server.running.operator()) as client:
        return str(client.post("/v1/login-codes", {})["code"])


def _paths(http: httpx.Client) -> Mapping[str, str]:
    """The pages of the navigation by name, and of each that lists something the page of the first thing in it."""
    paths = {"overview": "/console/"}
    for path in sorted(set(_LINK.findall(http.get("/console/").text)) - {"/console/"}):
        name = path.removeprefix("/console/")
        paths[name] = path
        listed = re.search(rf'<a href="({re.escape(path)}/[^"?#]+)"', http.get(path).text)
        if listed is not None:
            paths[f"{name}_one"] = listed[1]
    return paths


def _cpu_ms(server: FleetServer, load: Callable[[], httpx.Response], loads: int) -> float:
    """Milliseconds of the server's processor that a page takes, beyond what the server does anyway."""
    assert load().status_code == 200  # templates are read once
    idle = _idle_share(server)
    before, began = server.running.cpu_seconds(), time.monotonic()
    for _ in range(loads):
        load()
    spent, seconds = server.running.cpu_seconds() - before, time.monotonic() - began
    return 1000 * max(0.0, spent - idle * seconds) / loads


def _idle_share(server: FleetServer, at_least_seconds: float = IDLE_SECONDS) -> float:
    """The share of a core that the server takes while nothing comes."""
    before, began = server.running.cpu_seconds(), time.monotonic()
    time.sleep(at_least_seconds)
    return (server.running.cpu_seconds() - before) / (time.monotonic() - began)


def _first_load_bytes(http: httpx.Client, path: str) -> int:
    """The bodies of a page and of everything that it names, as sent."""
    page = http.get(path)
    needed = [http.get(each) for each in sorted(set(_NEEDED.findall(page.text)))]
    return sum(answer.num_bytes_downloaded for answer in (page, *needed))


def _paints(server: FleetServer, browser: Browser, loads: int) -> Sequence[float]:
    """When the overview was painted first, in milliseconds after it was asked for."""
    browser.open("/login")
    browser.find("input[name=code]").send_keys(_code(server))
    browser.click("Log in with the code")
    browser.wait_for("nav.sections")
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    found = []
    for _ in range(loads):
        browser.open("/")
        painted = None
        while painted is None:
            painted = browser.driver.execute_script(_PAINTED)
        found.append(float(painted))
    return found


def _frames(server: FleetServer, http: httpx.Client, scale: Scale) -> Mapping[str, float]:
    """Microseconds of the server's processor that a frame takes, with open consoles and without."""
    load = Load(server, scale.load_seconds)
    load.turn()  # not counted
    spent: dict[bool, list[float]] = {True: [], False: []}
    idle: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(scale.turns):
        for are_open in (turn % 2 == 0, turn % 2 == 1):
            with _open_consoles(http, OPEN_CONSOLES if are_open else 0):
                idle[are_open].append(_idle_share(server, TICKS_SECONDS))
                took = load.spend()
            frames_alone = took.cpu_seconds - idle[are_open][-1] * took.seconds
            spent[are_open].append(1e6 * frames_alone / took.frames)
    pairs = zip(spent[True], spent[False], strict=True)
    return {
        "frame_us_with_open_consoles": statistics.median(spent[True]),
        "frame_us_without": statistics.median(spent[False]),
        "frame_us_ratio": statistics.median(one / other for one, other in pairs),
        "idle_ms_a_second_with_open_consoles": 1000 * statistics.median(idle[True]),
        "idle_ms_a_second_without": 1000 * statistics.median(idle[False]),
    }


@contextmanager
def _open_consoles(http: httpx.Client, count: int) -> Iterator[None]:
    """So many overviews that follow by their streams, each read by a thread."""
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(httpx.Client(base_url=http.base_url, cookies=http.cookies, timeout=None))
            answer = stack.enter_context(_followed(client))
            threading.Thread(target=_read, args=[answer], daemon=True).start()
        yield


@contextmanager
def _followed(client: httpx.Client) -> Iterator[httpx.Response]:
    """The stream of the overview; places of streams that were closed just now are free again a tick later."""
    deadline = time.monotonic() + PLACE_SECONDS
    while True:
        with client.stream("GET", "/console/stream/overview") as answer:
            if answer.status_code == httpx.codes.OK:
                yield answer
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"no place for a stream: status {answer.status_code}")
        time.sleep(TICK_SECONDS)


def _read(answer: httpx.Response) -> None:
    try:
        for _ in answer.iter_raw():
            pass
    except (httpx.HTTPError, httpx.StreamError, RuntimeError):
        return  # it was closed


if __name__ == "__main__":
    main()
