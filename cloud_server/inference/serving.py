"""Which classifier answers which frame: an immutable picture, replaced whole when a bundle is added.

A frame's classifier is chosen by (family of the device, quant id of the tables it was really coded with). Frames
that carry their tables say the quant id themselves; frames that do not are looked up by their tables id. A frame
whose tables or sampling no classifier of the family was trained for is still answered, by the family's newest
classifier.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cloud_server.errors import NotReadyError, WrongSizeError
from cloud_server.inference.session import Classifier
from cloud_server.metrics import INTERCHANGE, bounded_labels
from shared.bundle import Bundle
from shared.jpeg import Decoder, FrameInfo, UnknownTablesError
from shared.wire import Match


@dataclass(frozen=True)
class Model:
    """A published bundle with its classifier in memory; `labels` in the order of its logits."""

    bundle: Bundle
    labels: tuple[str, ...]
    classifier: Classifier

    @property
    def metric_labels(self) -> tuple[str, ...]:
        """`labels` as metrics name them."""
        return bounded_labels(self.labels)


@dataclass(frozen=True, eq=False)
class Lane:
    """One way from bytes to a label: frames of one lane can be decoded and classified together.

    Attributes:
        decoder: knows the tables of abbreviated frames; frames that carry theirs need nothing from it.
        tables: the `tables` label of metrics.
        match: FALLBACK when levels must first be brought to the model's tables.
    """

    model: Model
    decoder: Decoder
    tables: str
    match: Match

    def check(self, info: FrameInfo) -> None:
        """Whether the model takes frames of this size; every sampling that the codec reads is welcome.

        Raises:
            WrongSizeError: it does not.
        """
        wanted = self.model.bundle.input
        if (info.width, info.height) != (wanted.width, wanted.height):
            raise WrongSizeError(
                f"the frame has {info.width}x{info.height} pixels; {self.model.bundle.name} takes "
                f"{wanted.width}x{wanted.height}"
            )


@dataclass(frozen=True)
class Serving:
    """Every loaded model and the lanes to it; `Serving.of` builds one, nothing changes it."""

    models: Mapping[tuple[str, int], Model] = field(default_factory=dict)
    _own_tables: Mapping[tuple[str, str], Lane] = field(default_factory=dict)
    _known_tables: Mapping[tuple[str, str], Lane] = field(default_factory=dict)
    _fallback: Mapping[str, Lane] = field(default_factory=dict)

    @classmethod
    def of(cls, models: Iterable[Model]) -> "Serving":
        """Lanes to these models. Of two with the same family and quant id, or tables id, the higher counter wins."""
        ordered = sorted(models, key=lambda model: model.bundle.counter)
        plain = Decoder()
        by_quant: dict[tuple[str, str], Lane] = {}
        fallback: dict[str, Lane] = {}
        for model in ordered:
            family = model.bundle.family
            by_quant[family, model.bundle.tables.quant_id] = Lane(model, plain, INTERCHANGE, Match.EXACT)
            fallback[family] = Lane(model, plain, INTERCHANGE, Match.FALLBACK)
        known: dict[tuple[str, str], Lane] = {}
        for model in ordered:
            for family, newest in fallback.items():
                exact = by_quant.get((family, model.bundle.tables.quant_id))
                known_already = known.get((family, model.bundle.tables.tables_id))
                if model.bundle.family != family and known_already:
                    continue
                tables = f"v{model.bundle.counter}" if model.bundle.family == family else "unknown"
                known[family, model.bundle.tables.tables_id] = Lane(
                    exact.model if exact else newest.model,
                    known_already.decoder if known_already else Decoder(model.bundle.tables),
                    tables,
                    Match.EXACT if exact else Match.FALLBACK,
                )
        return cls({(m.bundle.family, m.bundle.counter): m for m in ordered}, by_quant, known, fallback)

    def with_model(self, model: Model) -> "Serving":
        """The same, and one more."""
        return Serving.of([*self.models.values(), model])

    def require(self, family: str) -> None:
        """Whether anything can answer this family.

        Raises:
            NotReadyError: not yet.
        """
        if family not in self._fallback:
            raise NotReadyError(f"no classifier of family {family} is loaded yet")

    def lane(self, family: str, info: FrameInfo) -> Lane:
        """The way of this frame.

        Raises:
            NotReadyError: the family has no model yet.
            UnknownTablesError: the frame carries no tables and its id is nobody's.
            WrongSizeError: the model takes frames of another size.
        """
        self.require(family)
        if info.quant_id is not None:
            lane = self._own_tables.get((family, info.quant_id), self._fallback[family])
        else:
            known = self._known_tables.get((family, info.tables_id or ""))
            if known is None:
                raise UnknownTablesError(
                    info.tables_id, "no published bundle has these tables; send the frame with its own"
                )
            lane = known
        lane.check(info)
        return lane
