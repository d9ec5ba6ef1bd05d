"""The routing table: which classifiers may answer which frame, best first. Publishing replaces the whole table.

A frame's classifier is chosen by (family of the device, quant id of the tables it was really coded with). Frames that
carry their tables say the quant id themselves; frames that do not are looked up by their tables id. Where no bundle
fits, or its classifier cannot be loaded, the family's released fallback answers from dequantised coefficients; a family
without one answers with a bundle's classifier, the levels requantised to that bundle's tables.

Wherever a frame does not say which of several bundles it means, the device's *anchor* decides: the bundle that is
assigned to it. So publishing changes no answer, an assignment does, and a rollback takes it back
(docs/adr/0024-publishing-changes-no-answer.md).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice
from operator import itemgetter

from cloud_server.errors import NotReadyError, WrongSizeError
from cloud_server.inference.classifier import Classifier
from cloud_server.inference.precision import Precision
from cloud_server.metrics import INTERCHANGE
from shared.bundle import Bundle, Fallback, InputGeometry, Reference
from shared.jpeg import Decoder, FrameInfo, Resize, TableSet, Transcoder, UnknownTablesError
from shared.wire import Match

Published = Bundle | Fallback


@dataclass(frozen=True, eq=False)
class Model:
    """A published classifier in memory.

    Attributes:
        published: the bundle or fallback whose classifier this is.
        labels: in the order of the classifier's logits.
        cost_bytes: what it keeps of the process's memory.
        reference: what its trainer measured for the server; None: nothing.
    """

    published: Published
    labels: tuple[str, ...]
    classifier: Classifier
    precision: Precision = Precision.FP32
    cost_bytes: int = 0
    reference: Reference | None = None

    @property
    def name(self) -> str:
        """The model's name in answers and metrics: that of its bundle or fallback."""
        return self.published.name

    @property
    def temperature(self) -> float:
        """By which logits are divided before softmax; 1 where its trainer found none."""
        found = None if self.reference is None else self.reference.temperature
        return 1.0 if found is None else found

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
        transcoder: brings frames to the model's size and tables; None: they have its size already.
        is_alone: whether its frames are classified one by one, because one of them may fail the others.
    """

    model: Model
    decoder: Decoder
    tables: str
    match: Match
    transcoder: Transcoder | None = None
    is_alone: bool = False

    @property
    def batch_max(self) -> int:
        """How many frames may be classified together; a picture that is resized is work enough."""
        return 1 if self.is_alone or self.transcoder is not None else self.model.classifier.batch_max

    def alone(self) -> "Lane":
        """The same way, for one frame at a time."""
        return replace(self, is_alone=True)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A classifier that may answer, in memory or not; `match` says how well it fits the frame's tables."""

    published: Published
    match: Match

    @property
    def counter(self) -> int:
        """The bundle's; 0 of a fallback, which has none."""
        return self.published.counter if isinstance(self.published, Bundle) else 0

    @cached_property
    def transcoder(self) -> Transcoder | None:
        """What makes of any picture the levels that the classifier reads, as a sensor would; None: nothing needs to.

        A fallback reads coefficients: those are levels under steps of 1.
        """
        if self.match is not Match.RESIZED:
            return None
        published, size = self.published, self.published.input
        resize = Resize(size.height, size.width, published.fit)
        if isinstance(published, Bundle):
            return Transcoder(published.tables, resize=resize, quantisation=published.settings.quantisation())
        return Transcoder(TableSet.standard().with_quant((bytes([1] * 64),) * 3), resize=resize)

    def takes(self, info: FrameInfo) -> bool:
        """Whether the classifier takes frames of this size; every chroma sampling that the codec reads is welcome.

        Only a candidate that resizes takes a file whose picture is to be turned upright.
        """
        if self.match is Match.RESIZED:
            return True
        wanted = self.published.input
        is_upright = info.orientation == 1 or info.quant_id is None
        return is_upright and (info.width, info.height) == (wanted.width, wanted.height)


@dataclass(frozen=True, eq=False)
class Route:
    """How to read frames of one set of tables, and which classifiers may answer them.

    Attributes:
        decoder: knows the frames' tables, or takes them from each frame.
        tables: the `tables` label of metrics.
        exact: the bundles whose classifiers were trained for these tables.
        fallbacks: the family's released one, where it has one.
        bundles: all of the family's.
        resizing: all of the family's classifiers, for frames of another size; none for frames without tables, which
            were made for a classifier.
        own: the `tables` label of the bundles that have just these tables, Huffman tables included, by counter.
    """

    decoder: Decoder
    tables: str
    exact: tuple[Candidate, ...]
    fallbacks: tuple[Candidate, ...]
    bundles: tuple[Candidate, ...]
    resizing: tuple[Candidate, ...] = ()
    own: Mapping[int, str] = field(default_factory=dict)

    def of_size(self, info: FrameInfo, anchor: int, *, may_resize: bool = True) -> Iterator[Candidate]:
        """The candidates that take frames of this size, best first; those that resize only where no other does.

        Raises:
            WrongSizeError: no candidate does; the error names the size of the best one.
        """
        is_any = False
        for candidate in self.best_first(anchor):
            if candidate.takes(info):
                is_any = True
                yield candidate
        if is_any:
            return
        if may_resize and self.resizing:
            yield from self.resizing_first(anchor)
        else:
            first = next(self.best_first(anchor)).published
            raise WrongSizeError(
                f"the frame has {info.width}x{info.height} pixels; {first.name} takes "
                f"{first.input.width}x{first.input.height}: scale or crop it to that"
                + ("" if info.orientation == 1 else ", and turn it upright")
            )

    def best_first(self, anchor: int) -> Iterator[Candidate]:
        """The candidates of every size, best first: trained for these tables, for any, for others of the family."""
        yield from nearest_first(self.exact, anchor)
        yield from self.fallbacks
        yield from nearest_first(self.bundles, anchor)

    def resizing_first(self, anchor: int) -> Sequence[Candidate]:
        """The candidates for frames of another size, best first: as a sensor would, with the anchor's tables."""
        bundles = [one for one in self.resizing if isinstance(one.published, Bundle)]
        return [*nearest_first(bundles, anchor), *(one for one in self.resizing if one not in bundles)]

    def lane(self, candidate: Candidate, model: Model) -> Lane:
        """The lane through this candidate, whose model is in memory."""
        tables = self.own.get(candidate.counter, self.tables)
        return Lane(model, self.decoder, tables, candidate.match, candidate.transcoder)


def nearest_first(bundles: Sequence[Candidate], anchor: int) -> Sequence[Candidate]:
    """Candidates that are bundles: the anchor, those before it from the latest on, then those after it from the first.

    What is published later has a higher counter than all before it, so it comes after whatever answered until then.
    """
    if len(bundles) < 2:
        return bundles
    counters = ((one.counter > anchor, abs(one.counter - anchor), one) for one in bundles)
    return [one for *_, one in sorted(counters, key=itemgetter(0, 1))]


@dataclass(frozen=True)
class RoutingTable:
    """All that may answer, and the routes to it. `RoutingTable.of` builds one; nothing changes it.

    Attributes:
        published: every bundle and every released fallback, by name.
        first: of each family with bundles, the lowest counter that no later `min_counter` forbids.
        newest: of each family with bundles, the highest counter.
    """

    published: Mapping[str, Published] = field(default_factory=dict)
    _own_tables: Mapping[tuple[str, str], Route] = field(default_factory=dict)
    _known_tables: Mapping[tuple[str, str], Route] = field(default_factory=dict)
    _unknown_tables: Mapping[str, Route] = field(default_factory=dict)
    _decoders: Mapping[str, Decoder] = field(default_factory=dict)
    first: Mapping[str, int] = field(default_factory=dict)
    newest: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, published: Iterable[Published]) -> "RoutingTable":
        """The routing table of every bundle, and of the released fallbacks, one a family at most."""
        return cls._of(tuple(published), {})

    def leading_to(self, published: Iterable[Published]) -> "RoutingTable":
        """The routing table of these, as `of` makes it; what both lead to is not made twice."""
        return self._of(tuple(published), self._decoders)

    @classmethod
    def _of(cls, every: Sequence[Published], decoders: Mapping[str, Decoder]) -> "RoutingTable":
        bundles = sorted((one for one in every if isinstance(one, Bundle)), key=lambda one: one.counter, reverse=True)
        fallbacks = [one for one in every if isinstance(one, Fallback)]
        routes = _Routes([*fallbacks, *bundles], decoders)
        published = {one.name: one for one in every}
        first, newest = _first_counters(bundles), {one.family: one.counter for one in reversed(bundles)}
        return cls(published, routes.own(), routes.known(), routes.unknown(), routes.decoders, first, newest)

    def anchor(self, family: str, assigned: int | None) -> int:
        """Which bundle a device means that does not say: the assigned one; without an assignment, the first."""
        return self.first.get(family, 0) if assigned is None else assigned

    def anchors(self, family: str, told: Mapping[str, Collection[int | None]]) -> frozenset[int]:
        """Which bundles the devices of a family mean that do not say.

        Args:
            told: by family, the counters of the bundles that its devices are told to run; None: nothing, as are those
                of a family that is left out.
        """
        return frozenset(self.anchor(family, counter) for counter in told.get(family, (None,)))

    def in_use(
        self, is_failing: Callable[[Published], bool], told: Mapping[str, Collection[int | None]]
    ) -> frozenset[str]:
        """The names of all that a frame can lead to, as long as classifiers that fail to load go on failing.

        A family's newest bundle is among them, although no frame may mean it: it is likely to be assigned next.

        Args:
            told: as for `anchors`.
        """
        own = ((family, route) for (family, _), route in chain(self._own_tables.items(), self._known_tables.items()))
        names: set[str] = set()
        for family, route in chain(own, self._unknown_tables.items()):
            for anchor in self.anchors(family, told) | {self.newest.get(family, 0)}:
                for candidates in (route.best_first(anchor), route.resizing_first(anchor)):
                    best = (one.published for one in candidates if not is_failing(one.published))
                    names.update(one.name for one in islice(best, 1))
        return frozenset(names)

    def require(self, family: str) -> None:
        """Check that anything is published that can answer this family.

        Raises:
            NotReadyError: nothing is yet.
        """
        if family not in self._unknown_tables:
            raise NotReadyError(f"nothing that answers is published for family {family} yet")

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
        ordered: released fallbacks, then bundles by falling counter.
        decoders: of earlier routing tables, by tables id; they are used again.
    """

    def __init__(self, ordered: Sequence[Published], decoders: Mapping[str, Decoder]) -> None:
        self.plain = Decoder()
        self.decoders: dict[str, Decoder] = {}
        self.fallbacks: dict[str, tuple[Candidate, ...]] = {}
        self.bundles: dict[str, tuple[Candidate, ...]] = {}
        self.resizing: dict[str, tuple[Candidate, ...]] = {}
        self.exact: dict[tuple[str, str], tuple[Candidate, ...]] = {}
        self.labels: dict[tuple[str, str], dict[int, str]] = {}
        for one in ordered:
            others = self.bundles if isinstance(one, Bundle) else self.fallbacks
            others[one.family] = (*others.get(one.family, ()), Candidate(one, Match.FALLBACK))
            self.resizing[one.family] = (*self.resizing.get(one.family, ()), Candidate(one, Match.RESIZED))
            if isinstance(one, Bundle):
                tables = one.tables
                key = (one.family, tables.quant_id)
                self.exact[key] = (*self.exact.get(key, ()), Candidate(one, Match.EXACT))
                self.labels.setdefault((one.family, tables.tables_id), {})[one.counter] = f"v{one.counter}"
                self.decoders[tables.tables_id] = decoders.get(tables.tables_id) or Decoder(tables)
        self.families = self.fallbacks.keys() | self.bundles.keys()
        self.quant_ids = {one.tables.tables_id: one.tables.quant_id for one in ordered if isinstance(one, Bundle)}

    def own(self) -> dict[tuple[str, str], Route]:
        """Routes of frames that carry tables which a bundle of the family has, by (family, quant id)."""
        return {
            (family, quant_id): self._route(family, self.plain, exact)
            for (family, quant_id), exact in self.exact.items()
        }

    def known(self) -> dict[tuple[str, str], Route]:
        """Routes of frames that carry no tables, by (family, tables id): of the family's bundles and of any other's."""
        return {
            (family, tables_id): self._route(
                family,
                self.decoders[tables_id],
                self.exact.get((family, quant_id), ()),
                self.labels.get((family, tables_id), {}),
            )
            for family in self.families
            for tables_id, quant_id in self.quant_ids.items()
        }

    def unknown(self) -> dict[str, Route]:
        """Routes of frames that carry tables which no bundle of the family has, by family."""
        return {family: self._route(family, self.plain, ()) for family in self.families}

    def _route(
        self,
        family: str,
        decoder: Decoder,
        exact: tuple[Candidate, ...],
        labels: Mapping[int, str] | None = None,
    ) -> Route:
        """`labels`: of the bundles with just these tables, by falling counter; None: the frames carry theirs."""
        fallbacks, bundles = self.fallbacks.get(family, ()), self.bundles.get(family, ())
        if labels is None:
            return Route(decoder, INTERCHANGE, exact, fallbacks, bundles, self.resizing[family])
        *_, lowest = ["unknown", *labels.values()]
        return Route(decoder, lowest, exact, fallbacks, bundles, own=labels)


def _first_counters(bundles: Sequence[Bundle]) -> dict[str, int]:
    """Of each family, the lowest counter at or above the floor that its bundles set; `bundles` by falling counter."""
    floors: dict[str, int] = {}
    for one in bundles:
        floors[one.family] = max(one.min_counter, floors.get(one.family, 0))
    return {one.family: one.counter for one in bundles if one.counter >= floors[one.family]}
