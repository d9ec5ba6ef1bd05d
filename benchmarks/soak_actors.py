"""Who uses a server in `benchmarks.soak`, how often, and what each must be told."""

import contextlib
import random
import socket
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

import httpx

from benchmarks.soak_harness import Actor, Soak, UnexpectedAnswerError
from shared.errors import RefusedError
from shared.jpeg import EOI
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem

BATCH_FRAMES = 32
REMEMBERED = 256
DAMAGE_BYTES = 4
HOSTILE_STATUSES = range(400, 500)
CUT_SECONDS = 10.0


def actors(soak: Soak) -> Sequence[Actor]:
    """All of them, each with a device of its own where it needs one."""
    return (
        Actor("single", 20, _singles(soak)),
        Actor("single_minimal", 20, _singles(soak, prefer="return=minimal")),
        Actor("batch", 2, _batches(soak)),
        Actor("replay_and_label", 5, _replays_and_labels(soak)),
        Actor("damaged", 10, _damaged(soak)),
        Actor("cut_body", 2, _cut_bodies(soak)),
        Actor("stranger", 2, _strangers(soak)),
        Actor("newcomer", 0.2, _newcomers(soak)),
        Actor("scrape", 0.2, _scrapes(soak)),
        Actor("publish", 0.1, _publications(soak)),
        Actor("publish_broken", 0.05, _broken_publications(soak)),
    )


def _singles(soak: Soak, **headers: str) -> Callable[[], None]:
    device, sequences = soak.enrol(), count()

    def act() -> None:
        sequence = next(sequences)
        _expect(_post(device, soak.frames[sequence % len(soak.frames)], sequence, **headers), 200, 204)

    return act


def _batches(soak: Soak) -> Callable[[], None]:
    device, sequences = soak.enrol(), count()
    prefix = soak.frames[0].removesuffix(soak.scans[0] + EOI)

    def act() -> None:
        numbers = [next(sequences) for _ in range(BATCH_FRAMES)]
        items = tuple(BatchItem(number, 1_700_000_000_000, soak.scans[number % len(soak.scans)]) for number in numbers)
        body = Batch(prefix, items).to_bytes()
        answer = device.post("/v1/frames:batch", content=body, headers={"content-type": BATCH_MEDIA_TYPE})
        _expect(answer, 200)
        if any("problem" in result for result in answer.json()["results"]):
            raise UnexpectedAnswerError(answer.text[:500])

    return act


def _replays_and_labels(soak: Soak) -> Callable[[], None]:
    device, sequences = soak.enrol(), count()
    sent: deque[tuple[int, str]] = deque(maxlen=REMEMBERED)
    rng = random.Random(1)

    def act() -> None:
        sequence = next(sequences)
        first = _expect(_post(device, soak.frames[sequence % len(soak.frames)], sequence), 200)
        sent.append((sequence, first.text))
        again, answer = rng.choice(sent)
        if _expect(_post(device, soak.frames[again % len(soak.frames)], again), 200).text != answer:
            raise UnexpectedAnswerError(f"frame {again} was given another answer")
        label = {"label": rng.choice((first.json()["label"], "something else")), "source": "sensor"}
        _expect(device.put(f"/v1/frames/{first.json()['id']}/label", json=label), 204)

    return act


def _damaged(soak: Soak) -> Callable[[], None]:
    device, sequences, rng = soak.enrol(), count(), random.Random(2)

    def act() -> None:
        frame = bytearray(rng.choice(soak.frames))
        for _ in range(DAMAGE_BYTES):
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        answer = _post(device, bytes(frame[: rng.randrange(1, len(frame) + 1)]), next(sequences))
        _expect(answer, 200, *HOSTILE_STATUSES)

    return act


def _cut_bodies(soak: Soak) -> Callable[[], None]:
    device, rng = soak.enrol(), random.Random(3)
    url = httpx.URL(soak.addresses["device"])
    head = (
        f"POST /v1/frames HTTP/1.1\r\nhost: {url.host}\r\nauthorization: {device.headers['authorization']}\r\n"
        "dw-sequence: 0\r\ncontent-length: 4096\r\n\r\n"
    ).encode()

    def act() -> None:
        with socket.create_connection((url.host, url.port or 80), CUT_SECONDS) as line:
            line.sendall(head + bytes(rng.randrange(4096)))

    return act


def _strangers(soak: Soak) -> Callable[[], None]:
    client, rng = httpx.Client(base_url=soak.addresses["device"]), random.Random(4)

    def act() -> None:
        token = f"Bearer {rng.getrandbits(128):022x}"
        answer = _post(client, soak.frames[0], 0, authorization=token)
        _expect(answer, 401)

    return act


def _newcomers(soak: Soak) -> Callable[[], None]:
    def act() -> None:
        with contextlib.closing(soak.enrol()) as device:
            _expect(_post(device, soak.frames[0], 0), 200)

    return act


def _scrapes(soak: Soak) -> Callable[[], None]:
    client = httpx.Client(base_url=soak.addresses["ops"])

    def act() -> None:
        for path in ("/metrics", "/readyz", "/livez"):
            _expect(client.get(path), 200)

    return act


def _publications(soak: Soak) -> Callable[[], None]:
    def act() -> None:
        soak.publish()

    return act


def _broken_publications(soak: Soak) -> Callable[[], None]:
    def act() -> None:
        try:
            soak.publish(is_broken=True)
        except RefusedError as error:
            if error.code == "invalid-bundle":
                return
            raise
        raise UnexpectedAnswerError("a broken classifier was published")

    return act


def _post(device: httpx.Client, frame: bytes, sequence: int, **headers: str) -> httpx.Response:
    sent = {"dw-sequence": str(sequence), "content-type": "image/jpeg", **headers}
    return device.post("/v1/frames", content=frame, headers=sent)


def _expect(answer: httpx.Response, *statuses: int) -> httpx.Response:
    if answer.status_code not in statuses:
        raise UnexpectedAnswerError(f"{answer.status_code}: {answer.text[:500]}")
    return answer
