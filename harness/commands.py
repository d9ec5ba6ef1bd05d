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


def as_operator(operator_plane: str, data: Path) -> dict[str, str]:
    """The variables with which `dctwire` reaches a server as its first admin."""
    return {"DCTWIRE_OPERATOR_URL": operator_plane, "DCTWIRE_OPERATOR_TOKEN_FILE": str(data / "admin-token")}


def publish(bundle: Path, keys: Path, *, assign: bool) -> Command:
    """Publish a bundle; `assign`: and make it what every device of the family runs."""
    return ("dctwire", "publish", str(bundle), "--keys", str(keys), "--json", *(["--assign"] if assign else []))


def tag(device: str, tag: str) -> Command:
    """Give a device a tag."""
    return ("dctwire", "devices", "tag", device, tag, "--json")


def start_rollout(counter: int, plan: Path) -> Command:
    """Begin to lead the family to a published bundle."""
    return ("dctwire", "rollout", "start", FAMILY, str(counter), "--plan", str(plan), "--json")


def watch_rollout(rollout: str) -> Command:
    """Show a rollout until it is paused or over; the exit status says which."""
    return ("dctwire", "rollout", "watch", rollout)


def rollout_devices(rollout: str) -> Command:
    """The devices that a rollout has reached."""
    return ("dctwire", "rollout", "devices", rollout, "--json")


def console_login() -> Command:
    """A code that lets its operator in to the console once."""
    return ("dctwire", "console", "login", "--json")


def claim() -> Command:
    """A code that lets one device in."""
    return ("dctwire", "claim", FAMILY, "--json")


def enrol(server: str, code: str, state: Path, root: Path) -> Command:
    """Give the camera its identity."""
    return (
        "dctwire-sensor", "enrol", "--server", server, "--claim", code, "--state", str(state), "--root", str(root),
    )  # fmt: skip


def camera(state: Path, source: Path, *, batch: int, rate: float) -> Command:
    """The simulated camera: pictures whose folders are their labels, again and again.

    It makes no probes, whose bytes and numbers would be among those of the version that is measured.
    """
    return (*_run_sensor(state, source, batch), "--loop", "--rate", f"{rate:g}")


def camera_once(state: Path, source: Path, *, batch: int) -> Command:
    """The same, once and as fast as it can; it ends when every picture is answered."""
    return (*_run_sensor(state, source, batch), "--once", "--exit-when-drained")


def camera_status(state: Path) -> Command:
    """What the camera has done so far."""
    return ("dctwire-sensor", "status", "--state", str(state), "--json")


def _run_sensor(state: Path, source: Path, batch: int) -> Command:
    return (
        "dctwire-sensor", "run", "--state", str(state), "--source", str(source), "--send-labels",
        "--batch", str(batch), "--linger", "1", "--no-probes",
    )  # fmt: skip
