"""What the service is told: `service.toml`, checked to the last key before anything is done."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from shared.bundle import Family
from shared.environment import nearest
from trainer.errors import TrainerError
from trainer.recipes.goals import Budget
from trainer.recipes.toml_text import line, meanings
from trainer.section import Section

HOUR = 3600.0

FilePath = Annotated[Path, Field(strict=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=366 * 24 * HOUR)]
Hours = Annotated[float, Field(gt=0, le=366 * 24)]
Labels = Annotated[int, Field(ge=1, le=100_000_000)]
Policy = Literal["draft", "start"]
TablesPolicy = Literal["keep", "when-needed", "always"]
_S = TypeVar("_S", bound=Section)


def _is_operator_plane(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("write the operator plane as http://HOST:PORT or https://HOST:PORT")
    return url.rstrip("/")


Url = Annotated[str, Field(max_length=2048), AfterValidator(_is_operator_plane)]


class ConfigurationError(TrainerError):
    """`service.toml` is missing, is no TOML, or says what the service cannot do; names each key and what to write."""


class Limits(Section):
    """What a training may take of the machine.

    Args:
        threads: CPU threads.
        processes: how many share a training, by torchrun.
        device: `auto`, `cpu`, `cuda` or `cuda:NUMBER`.
        memory_mib: of each process; what asks for more ends the training.
        hours: a training that has worked longer than this ends.
        starts: a training that was begun so often without coming to an end is given up.
    """

    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$")] = "auto"
    memory_mib: Annotated[int, Field(ge=256, le=16 * 2**20)] = 8192
    hours: Hours = 12.0
    starts: Annotated[int, Field(ge=1, le=1000)] = 10


class Triggers(Section):
    """Why a family is trained anew.

    Args:
        every_hours: so long after the last training ended; None: never by the clock alone.
        labels: once so many frames were labelled since the last training; None: never by that alone.
        drift: when the server says that frames look different.
        gap: when the accuracy that the server estimates and what labels say have parted.
        labels_least: with fewer labels since the last training nothing is begun, whatever else there is to see, but for
            an operator's request.
        back_off_hours: after a training that failed; twice as long after each further one.
        back_off_hours_most: the longest such wait.
    """

    every_hours: Hours | None = 168.0
    labels: Labels | None = 1000
    drift: bool = True
    gap: bool = True
    labels_least: Labels = 200
    back_off_hours: Hours = 0.5
    back_off_hours_most: Hours = 24.0

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.back_off_hours > self.back_off_hours_most:
            raise ValueError("back_off_hours must not be above back_off_hours_most")
        if self.labels is not None and self.labels < self.labels_least:
            raise ValueError("labels must not be below labels_least")
        return self


class Gates(Section):
    """What a new version must show before it is published; shares are of frames.

    Args:
        holdout_loss: of accuracy on the frozen holdout that the interval of the difference may reach down to.
        recent_loss: the same on the newest labelled uploads.
        recent_frames: so many of these there must be.
        class_loss: of its frames that a class may lose; more is refused where it is at least `class_lost_frames`.
        class_lost_frames: a loss of fewer frames may be chance.
        class_frames: a class of the holdout with fewer frames is not judged, and then nothing is published.
        bytes_over: by how much a frame may be above the family's budget.
        int8_loss: of accuracy that the eight-bit twin may lose.
        calibration_error: the mean distance of confidence and accuracy (expected calibration error, 15 bins).
        temperature_low, temperature_high: between these lies what logits have to be divided by.
    """

    holdout_loss: Share = 0.02
    recent_loss: Share = 0.01
    recent_frames: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    class_loss: Share = 0.1
    class_lost_frames: Annotated[int, Field(ge=1, le=100_000)] = 5
    class_frames: Annotated[int, Field(ge=1, le=100_000)] = 10
    bytes_over: Share = 0.02
    int8_loss: Share = 0.003
    calibration_error: Share = 0.1
    temperature_low: Annotated[float, Field(gt=0, le=1)] = 0.2
    temperature_high: Annotated[float, Field(ge=1, le=20)] = 5.0


class FamilySettings(Section):
    """One family.

    Args:
        champion: folder of the finished run that its bundle was exported from, until the service has published one.
        bundle: that bundle's folder.
        budget: scan bytes a frame; None: as many as the bundle promises.
        tables: whether they may be learned anew: never, where bytes or accuracy ask for it, or always.
        policy: a rollout is left as a draft, or started, for which the token must be an operator's.
        plan: of the rollout; None: the server's standard one.
    """

    champion: FilePath
    bundle: FilePath
    budget: Budget | None = None
    tables: TablesPolicy = "when-needed"
    policy: Policy = "draft"
    plan: FilePath | None = None
    triggers: Triggers = Triggers()
    gates: Gates = Gates()


class ServiceSettings(Section):
    """All of `service.toml`.

    Args:
        server: the server's operator plane.
        token_file: the token of an operator whose role is trainer.
        insecure: whether the token may go over plain HTTP to another machine.
        keys: the folder with root.json and the trainer's key.
        passphrase_file: what the key is encrypted with, if it is.
        data: the folder for trainings, which is the service's own.
        data_dir, cache_dir: as for `dctwire-trainer train`; None: as without them, DCTWIRE_DATA and DCTWIRE_CACHE.
        program: `dctwire`, where it is not beside this program or on the PATH.
        worker: what the server calls this service; None: by machine and folder.
        look_seconds: between two looks at what the server knows.
        lease_seconds: for how long the server keeps a training for this service that it does not hear of.
        families: by name.
    """

    server: Url
    token_file: FilePath
    insecure: bool = False
    keys: FilePath
    passphrase_file: FilePath | None = None
    data: FilePath
    data_dir: FilePath | None = None
    cache_dir: FilePath | None = None
    program: FilePath | None = None
    worker: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] | None = None
    look_seconds: Annotated[float, Field(ge=1, le=24 * HOUR)] = 60.0
    lease_seconds: Annotated[float, Field(ge=15, le=HOUR)] = 120.0
    limits: Limits = Limits()
    families: Annotated[dict[Family, FamilySettings], Field(min_length=1, max_length=1000)]


def read_settings(path: Path) -> ServiceSettings:
    """Read `service.toml`; relative paths in it start from its folder, and all are absolute then.

    Raises:
        ConfigurationError: it cannot be read or says what cannot be; a line for each fault, with its key.
    """
    try:
        settings = ServiceSettings.model_validate(_toml(path))
    except ValidationError as error:
        raise ConfigurationError(f"{path} cannot be used:\n" + "\n".join(_faults(error))) from error
    return _from_folder(settings, path.absolute().parent)


def require_files(settings: ServiceSettings) -> None:
    """Check that what is needed only at a training's end is there before one begins.

    Raises:
        ConfigurationError: something is not; a line for each, with its key.
    """
    files = {"token_file": settings.token_file, "passphrase_file": settings.passphrase_file}
    files |= {f"families.{name}.plan": family.plan for name, family in settings.families.items()}
    missing = [f"  {key}: there is no file {path}" for key, path in files.items() if path and not path.is_file()]
    if not settings.keys.is_dir():
        missing.insert(0, f"  keys: there is no folder {settings.keys}")
    if missing:
        raise ConfigurationError("service.toml names what is not there:\n" + "\n".join(missing))


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}): write one with dctwire-trainer service --print-example > {path}"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from error


def example() -> str:
    """A whole `service.toml` with every key, its default and its meaning; those without a default are commented."""
    family = FamilySettings(champion=Path("runs/v1"), bundle=Path("bundles/v1"))
    settings = ServiceSettings(
        server="http://127.0.0.1:8001",
        token_file=Path("trainer.token"),
        keys=Path("keys"),
        data=Path("trainings"),
        families={"doorbell": family},
    )
    lines = [*_keys(settings), "", "[limits]", *_keys(settings.limits), "", "[families.doorbell]", *_keys(family)]
    for name, section in (("triggers", family.triggers), ("gates", family.gates)):
        lines += ["", f"[families.doorbell.{name}]", *_keys(section)]
    return "\n".join(lines) + "\n"


def _keys(section: Section) -> Iterator[str]:
    meant = meanings(type(section))
    for name, value in section:
        if value is None:
            yield f"# {name} =  # {meant[name]}"
        elif not isinstance(value, Section | dict):
            yield line(name, value, meant[name])


def _faults(error: ValidationError) -> list[str]:
    return [f"  {_key(fault['loc'])}: {_advice(fault['type'], fault['loc'], fault['msg'])}" for fault in error.errors()]


def _key(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place)) or "the file"


def _advice(kind: str, place: tuple[int | str, ...], message: str) -> str:
    if kind == "missing":
        return "is missing; --print-example shows what it may say"
    if kind == "extra_forbidden":
        meant = nearest(str(place[-1]), sorted(_known(place[:-1])))
        return f"is no key here; did you mean {meant}?" if meant else "is no key here: remove it"
    return message.removeprefix("Value error, ")


def _known(place: tuple[int | str, ...]) -> set[str]:
    """The keys that a section has."""
    sections: tuple[type[Section], ...] = (ServiceSettings, Limits, FamilySettings)
    section = sections[len(place)] if len(place) < len(sections) else {"triggers": Triggers}.get(str(place[-1]), Gates)
    return set(section.model_fields)


def _from_folder(settings: ServiceSettings, folder: Path) -> ServiceSettings:
    families = {name: _rebased(family, folder) for name, family in settings.families.items()}
    return _rebased(settings, folder).model_copy(update={"families": families})


def _rebased(section: _S, folder: Path) -> _S:
    paths = {name: value for name, value in section if isinstance(value, Path)}
    return section.model_copy(update={name: folder / path.expanduser() for name, path in paths.items()})
