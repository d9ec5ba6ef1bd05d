"""The commands of a whole system, once: the demo runs them, docker-compose.yml repeats them, a test compares."""

from pathlib import Path

from harness.processes import Command

FAMILY = "doorbell"
RECIPE = "synthetic-32"
STANDARD_QUALITY = 75  # what libjpeg and Pillow take when nobody asks: an ordinary camera's choice
BUDGET_BYTES = 140


def train_standard(out: Path) -> Command:
    """Version 1's net, under standard tables."""
    return (
        "dctwire-trainer",
        "train",
        RECIPE,
        "--tables",
        "standard",
        "--quality",
        str(STANDARD_QUALITY),
        "--out",
        str(out),
    )


def train_learned(out: Path) -> Command:
    """Version 2's tables and net, under a byte budget."""
    return ("dctwire-trainer", "train", RECIPE, "--tables", "learned", "--budget", str(BUDGET_BYTES), "--out", str(out))


def export(run: Path, counter: int, out: Path) -> Command:
    """A run as a bundle folder."""
    return ("dctwire-trainer", "export", str(run), "--family", FAMILY, "--counter", str(counter), "--out", str(out))


def frames(count: int, out: Path) -> Command:
    """Held-out pictures for the simulated camera."""
    return ("dctwire-trainer", "frames", "--data", "synthetic", "--count", str(count), "--out", str(out))


def draw_tables(standard: Path, learned: Path, out: Path) -> Command:
    """Heat maps of the tables of two bundle folders."""
    return ("dctwire-trainer", "plot", "tables", str(standard), str(learned), "--out", str(out))


def draw_points(points: Path, out: Path) -> Command:
    """Rate and accuracy of the points in a JSON file."""
    unit = "bytes a frame on the wire, HTTP included"
    return ("dctwire-trainer", "plot", "points", str(points), "--unit", unit, "--out", str(out))


def init_trust(keys: Path, data: Path) -> Command:
    """Keys and first metadata."""
    return ("dctwire", "trust", "init", "--keys", str(keys), "--data", str(data))


def serve(data: Path) -> Command:
    """The server, on free ports."""
    ports = ("--device-port", "0", "--operator-port", "0", "--ops-port", "0")
    return ("dctwire-server", "run", "--data", str(data), "--device-host", "127.0.0.1", *ports)


def publish(bundle: Path, keys: Path) -> Command:
    """Publish a bundle and make it the family's assignment."""
    return ("dctwire", "publish", str(bundle), "--keys", str(keys), "--assign", "--json")


def claim() -> Command:
    """A code that lets one device in."""
    return ("dctwire", "claim", FAMILY, "--json")


def enrol(server: str, code: str, state: Path, root: Path) -> Command:
    """Give the camera its identity."""
    return (
        "dctwire-sensor", "enrol", "--server", server, "--claim", code, "--state", str(state), "--root", str(root),
    )  # fmt: skip


def camera(state: Path, source: Path, *, batch: int, rate: float) -> Command:
    """The simulated camera: pictures whose folders are their labels, again and again."""
    return (
        "dctwire-sensor", "run", "--state", str(state), "--source", str(source), "--loop", "--send-labels",
        "--batch", str(batch), "--rate", f"{rate:g}", "--linger", "1",
    )  # fmt: skip


def camera_status(state: Path) -> Command:
    """What the camera has done so far."""
    return ("dctwire-sensor", "status", "--state", str(state), "--json")
