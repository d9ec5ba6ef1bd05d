"""The routing table: which classifiers may answer which frame, best first. Publishing replaces the whole table.

A frame's classifier is chosen by (family of the device, quant id of the tables it was really coded with). Frames that
carry their tables say the quant id themselves; frames that do not are looked up by their tables id. Of several bundles
with one quant id the highest counter answers, whichever of them a camera runs: its classifier is the newest one for
these levels. Where no bundle fits, or its classifier cannot be loaded, the family's fallback answers from dequantised
coefficients; a family without one answers with its newest classifier, the levels requantised to that one's tables.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from cloud_server.errors import NotReadyError, WrongSizeError
from cloud_server.inference.classifier import Classifier
from cloud_server.inference.precision import Precision
from cloud_server.metrics import INTERCHANGE
from shared.bundle import Bundle, Fallback, InputGeometry
from shared.jpeg import Decoder, FrameInfo, UnknownTablesError
from shared.wire import Match

Published = Bundle | Fallback


@dataclass(frozen=True, eq=False)
class Model:
    """A published classifier in memory.

    Attributes:
        published: the bundle or fallback whose classifier this is.
        labels: in the order of the classifier's logits.
        cost_bytes: what it keeps of the process's memory.
    """

    published: Published
    labels: tuple[str, ...]
    classifier: Classifier
    precision: Precision = Precision.FP32
    cost_bytes: int = 0

    @property
    def name(self) -> str:
        """The model's name in answers and metrics: that of its bundle or fallback."""
        return self.published.name

    @property
    def input(self) -> InputGeometry:
        """The geometry of the frames that the classifier takes."""
        return self.published.input


@dataclass(frozen=True)
class Lane:
    """One way from bytes to a label: frames of one lane can be decoded and classified together.

    Attributes:
        decoder: knows the tables of abbreviated frames; frames that carry theirs need nothing from it.
        tables: the `tables` label of metrics.
        match: EXACT when the model takes the frame's levels as they are.
    """

    model: Model
    decoder: Decoder
    tables: str
    match: Match


@dataclass(frozen=True, eq=False)
class Candidate:
    """A classifier that may answer, in memory or not; `match` says how well it fits the frame's tables."""

    published: Published
    match: Match

    def takes(self, info: FrameInfo) -> bool:
        """Whether the classifier takes frames of this size; every chroma sampling that the codec reads is welcome."""
        wanted = self.published.input
        return (info.width, info.height) == (wanted.width, wanted.height)


@dataclass(frozen=True, eq=False)
class Route:
    """How to read frames of one set of tables, and which classifiers may answer them.

    Attributes:
        decoder: knows the frames' tables, or takes them from each frame.
        tables: the `tables` label of metrics.
        exact: classifiers that were trained for these tables, best first.
        others: every classifier of the family, best first.
    """

    decoder: Decoder
    tables: str
    exact: tuple[Candidate, ...]
    others: tuple[Candidate, ...]

    def of_size(self, info: FrameInfo) -> Iterator[Candidate]:
        """The candidates that take frames of this size, best first.

        Raises:
            WrongSizeError: no candidate does; the error names the size of the best one.
        """
        is_any = False
        for candidate in self.best_first():
            if candidate.takes(info):
                is_any = True
                yield candidate
        if not is_any:
            first = next(self.best_first()).published
            raise WrongSizeError(
                f"the frame has {info.width}x{info.height} pixels; {first.name} takes "
                f"{first.input.width}x{first.input.height}: scale or crop it to that"
            )

    def best_first(self) -> Iterator[Candidate]:
        """The candidates of every size, best first."""
        return chain(self.exact, self.others)

    def lane(self, candidate: Candidate, model: Model) -> Lane:
        """The lane through this candidate, whose model is in memory."""
        return Lane(model, self.decoder, self.tables, candidate.match)


@dataclass(frozen=True)
class RoutingTable:
    """Everything that is published, and the routes to it. `RoutingTable.of` builds one; nothing changes it.

    Attributes:
        published: every bundle and fallback, by name.
    """

    published: Mapping[str, Published] = field(default_factory=dict)
    _own_tables: Mapping[tuple[str, str], Route] = field(default_factory=dict)
    _known_tables: Mapping[tuple[str, str], Route] = field(default_factory=dict)
    _unknown_tables: Mapping[str, Route] = field(default_factory=dict)
    _decoders: Mapping[str, Decoder] = field(default_factory=dict)

    @classmethod
    def of(cls, published: Iterable[Published]) -> "RoutingTable":
        """The routing table of everything that is published, given in any order."""
        return cls._of(tuple(published), {})

    def with_published(self, *published: Published) -> "RoutingTable":
        """A routing table that leads to these as well."""
        return self._of((*self.published.values(), *published), self._decoders)

    @classmethod
    def _of(cls, every: Sequence[Published], decoders: Mapping[str, Decoder]) -> "RoutingTable":
        bundles = sorted((one for one in every if isinstance(one, Bundle)), key=lambda one: one.counter, reverse=True)
        fallbacks = sorted((one for one in every if isinstance(one, Fallback)), key=_age, reverse=True)
        routes = _Routes([*fallbacks, *bundles], decoders)
        published = {one.name: one for one in every}
        return cls(published, routes.own(), routes.known(), routes.unknown(), routes.decoders)

    def in_use(self, is_failing: Callable[[Published], bool]) -> frozenset[str]:
        """The names of all that a frame can lead to, as long as classifiers that fail to load go on failing."""
        routes = chain(self._own_tables.values(), self._known_tables.values(), self._unknown_tables.values())
        best = (next((one for one in route.best_first() if not is_failing(one.published)), None) for route in routes)
        return frozenset(candidate.published.name for candidate in best if candidate is not None)

    def require(self, family: str) -> None:
        """Check that anything is published that can answer this family.

        Raises:
            NotReadyError: nothing is yet.
        """
        if family not in self._unknown_tables:
            raise NotReadyError(f"nothing is published for family {family} yet")

    def route(self, family: str, info: FrameInfo) -> Route:
        """The route of a frame of this family, by what its markers say.

        Raises:
            NotReadyError: nothing is published for the family yet.
            UnknownTablesError: the frame carries no tables and its id is nobody's.
        """
        self.require(family)
        if info.quant_id is not None:
            return self._own_tables.get((family, info.quant_id), self._unknown_tables[family])
        known = self._known_tables.get((family, info.tables_id or ""))
        if known is None:
            raise UnknownTablesError(
                info.tables_id, "no published bundle has these tables; send the frame with its own"
            )
        return known


class _Routes:
    """Works the routes out.

    Args:
        ordered: fallbacks, the newest first, then bundles by falling counter.
        decoders: of earlier routing tables, by tables id; they are used again.
    """

    def __init__(self, ordered: Sequence[Published], decoders: Mapping[str, Decoder]) -> None:
        self.plain = Decoder()
        self.decoders: dict[str, Decoder] = {}
        self.others: dict[str, tuple[Candidate, ...]] = {}
        self.exact: dict[tuple[str, str], tuple[Candidate, ...]] = {}
        self.labels: dict[tuple[str, str], str] = {}
        for one in ordered:
            self.others[one.family] = (*self.others.get(one.family, ()), Candidate(one, Match.FALLBACK))
            if isinstance(one, Bundle):
                tables = one.tables
                key = (one.family, tables.quant_id)
                self.exact[key] = (*self.exact.get(key, ()), Candidate(one, Match.EXACT))
                self.labels.setdefault((one.family, tables.tables_id), f"v{one.counter}")
                self.decoders[tables.tables_id] = decoders.get(tables.tables_id) or Decoder(tables)
        self.quant_ids = {one.tables.tables_id: one.tables.quant_id for one in ordered if isinstance(one, Bundle)}

    def own(self) -> dict[tuple[str, str], Route]:
        """Routes of frames that carry tables which a bundle of the family has, by (family, quant id)."""
        return {key: Route(self.plain, INTERCHANGE, exact, self.others[key[0]]) for key, exact in self.exact.items()}

    def known(self) -> dict[tuple[str, str], Route]:
        """Routes of frames that carry no tables, by (family, tables id): of the family's bundles and of any other's."""
        return {
            (family, tables_id): Route(
                self.decoders[tables_id],
                self.labels.get((family, tables_id), "unknown"),
                self.exact.get((family, quant_id), ()),
                others,
            )
            for family, others in self.others.items()
            for tables_id, quant_id in self.quant_ids.items()
        }

    def unknown(self) -> dict[str, Route]:
        """Routes of frames that carry tables which no bundle of the family has, by family."""
        return {family: Route(self.plain, INTERCHANGE, (), others) for family, others in self.others.items()}


def _age(fallback: Fallback) -> tuple[float, str]:
    return fallback.created_at.timestamp(), fallback.name
