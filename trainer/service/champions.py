"""Which run made the version that a family runs: only from it can be gone on."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from shared.bundle import BUNDLE_NAME, Bundle
from shared.errors import PeerError
from trainer.errors import TrainerError
from trainer.service.configuration import FamilySettings
from trainer.service.job_state import Champion, jobs_of
from trainer.service.signals import Assigned
from trainer.training.run_dir import Summary


class ChampionError(TrainerError):
    """The version that the family runs is none that could be gone on from."""


def champion_of(assigned: Assigned | None, settings: FamilySettings, family: str, folder: Path) -> Champion:
    """The run and bundle of the version that is assigned.

    Args:
        folder: the family's, with the trainings of this service.

    Raises:
        ChampionError: nothing is assigned, or neither `service.toml` nor this service's trainings know its run.
    """
    if assigned is None:
        raise ChampionError(f"{family} runs no bundle yet: publish one and assign it, with dctwire publish --assign")
    known = [champion(settings.champion, settings.bundle), *_own(folder)]
    for each in known:
        if (each.counter, each.classifier_sha256) == (assigned.counter, assigned.classifier_sha256):
            return each
    raise ChampionError(f"{family} runs v{assigned.counter}, {_unknown(family, known)}")


def _unknown(family: str, known: Sequence[Champion]) -> str:
    names = ", ".join(each.name for each in known)
    return (
        f"which was not made from the runs that are known here ({names}): name its run and bundle in service.toml, as "
        f"families.{family}.champion and bundle"
    )


def champion(run: Path, bundle: Path) -> Champion:
    """A finished run and the bundle folder that was exported from it.

    Raises:
        ChampionError: one of them is missing or damaged.
    """
    try:
        description = Bundle.from_bytes((bundle / BUNDLE_NAME).read_bytes())
        summary = Summary.model_validate_json((run / "summary.json").read_bytes())
    except (OSError, ValidationError, PeerError) as error:
        raise ChampionError(f"{run} and {bundle} are to be a finished run and its bundle: {error}") from error
    return Champion(
        run=run,
        bundle=bundle,
        counter=description.counter,
        classifier_sha256=description.classifier.sha256,
        scan_bytes=summary.scan_bytes,
    )


def _own(folder: Path) -> Iterator[Champion]:
    """What this service has made and still has, the newest first."""
    for place, job in reversed([*jobs_of(folder)]):
        if job.published is not None:
            with suppress(ChampionError):
                yield champion(place.attempt(job.published.attempt), place.bundle(job.published.attempt))
