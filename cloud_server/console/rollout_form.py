"""The form that starts a rollout: what its fields say, and the plan that follows from them. Pure."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.plan import HOUR, OnFail, Plan, standard
from shared.errors import PeerError

PLAN_MAX = 32_000


class Shape(StrEnum):
    """Where the plan comes from."""

    STANDARD = "standard"
    SIMPLE = "simple"
    WRITTEN = "written"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartForm:
    """The form as somebody filled it in; every field is as it was typed, so that nothing is lost where one is wrong.

    Args:
        bundle: the bundle's name, such as `digits/2`.
        percents: of the stages, such as `1, 5, 25, 100`.
        soak_hours: how long each stage lasts at least; deadline_hours: at most.
        gates: the kinds that are ticked.
        written: a plan in TOML or JSON.
        starts: when it begins, in UTC as `2026-11-30T06:00`; empty: now.
    """

    bundle: str = ""
    shape: str = Shape.STANDARD.value
    percents: str = "5, 25, 100"
    min_devices: str = "5"
    min_frames: str = "500"
    soak_hours: str = "1"
    deadline_hours: str = "24"
    gates: tuple[str, ...] = tuple(kind.value for kind in (GateKind.BYTES, GateKind.FALLBACK, GateKind.REFUSALS))
    on_fail: str = OnFail.ROLLBACK.value
    written: str = ""
    starts: str = ""
    note: str = ""
    supersede: bool = False

    @property
    def family_and_counter(self) -> tuple[str, int]:
        """Which bundle is wanted.

        Raises:
            PeerError: none is chosen.
        """
        family, _, counter = self.bundle.rpartition("/")
        if not family or not counter.isdecimal() or len(counter) > 9:
            raise PeerError("choose the version that the cameras are to be led to")
        return family, int(counter)

    def plan(self) -> Plan:
        """The plan that the form describes.

        Raises:
            PeerError: a field is not what it should be; says which, and why.
        """
        try:
            shape = Shape(self.shape)
        except ValueError as error:
            raise PeerError("choose where the plan comes from") from error
        made = {Shape.STANDARD: standard, Shape.SIMPLE: self._simple, Shape.WRITTEN: self._written}[shape]()
        if not self.starts:
            return made
        return _checked(made.model_dump() | {"starts_at": _moment(self.starts)})

    def _simple(self) -> Plan:
        stage = {
            "min_devices": _number("min_devices", self.min_devices),
            "min_frames": _number("min_frames", self.min_frames),
            "min_soak_seconds": _number("soak_hours", self.soak_hours) * HOUR,
            "deadline_seconds": _number("deadline_hours", self.deadline_hours) * HOUR,
            "gates": [{"kind": kind} for kind in self.gates],
            "on_fail": self.on_fail,
        }
        percents = [part for part in self.percents.replace("%", " ").replace(",", " ").split() if part]
        return _checked({"stages": [{"percent": _number("percents", one)} | stage for one in percents]})

    def _written(self) -> Plan:
        if not self.written.strip():
            raise PeerError("paste a plan, or choose another way to make one; dctwire rollout plan prints one")
        return _checked(_read(self.written))


def with_bundle(form: StartForm, bundles: Sequence[str], wanted: str) -> StartForm:
    """The form with a bundle chosen: the wanted one where there is such, else the newest."""
    return replace(form, bundle=wanted if wanted in bundles else next(iter(bundles), ""))


def _checked(document: Any) -> Plan:
    try:
        return Plan.model_validate_json(json.dumps(document, allow_nan=False))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part + 1 if isinstance(part, int) else part) for part in fault["loc"]) or "plan"
        raise PeerError(f"{where}: {fault['msg'].removeprefix('Value error, ')}") from error
    except (ValueError, TypeError, RecursionError) as error:  # dotted keys of TOML nest without end
        raise PeerError(f"that is no plan: {error}") from error


def _read(text: str) -> Any:
    """A plan in JSON, where it begins with a brace, else in TOML."""
    is_json = text.lstrip().startswith("{")
    try:
        return json.loads(text) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PeerError(f"the plan is no {'JSON' if is_json else 'TOML'}: {error}") from error


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise PeerError(f"{name.replace('_', ' ')}: write a number, not {text[:40]!r}") from error
    return int(number) if number.is_integer() else number


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except ValueError as error:
        raise PeerError(f"start: write a date and a time in UTC such as 2026-11-30T06:00, not {text[:40]!r}") from error
