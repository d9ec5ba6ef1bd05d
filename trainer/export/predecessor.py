"""The exported bundle that another one follows, and how often the two name different labels of the same pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.bundle import Disagreement
from shared.jpeg import Stream
from trainer.data.dataset import Progress, Split
from trainer.errors import RecipeError
from trainer.evaluation.evaluation import decode
from trainer.export.bundle import Exportable, read_bundle
from trainer.export.classifier import OnnxClassifier

PART = 1_024  # pictures at a time, however many there are

Answers = NDArray[np.str_]
"""The likeliest label of each picture, (n,)."""


@dataclass(frozen=True, kw_only=True)
class Predecessor:
    """A bundle folder that was exported before.

    Args:
        data: the data set that it was measured on.
    """

    family: str
    counter: int
    data: str
    content: Exportable

    @classmethod
    def read(cls, folder: Path) -> Self:
        """A bundle folder, checked against its own digests.

        Raises:
            RunError: it is none, or a file of it is missing or damaged.
            UnsupportedBundleError: the bundle asks for what this version cannot do.
        """
        bundle, files = read_bundle(folder)
        return cls(
            family=bundle.family,
            counter=bundle.counter,
            data=bundle.expected.data,
            content=Exportable.of(bundle, files),
        )

    @property
    def name(self) -> str:
        """Family and counter, as bundles are called."""
        return f"{self.family}/{self.counter}"

    def require_before(self, family: str, counter: int) -> None:
        """Refuse what cannot follow this bundle.

        Raises:
            RecipeError: it is another family's, or its counter is not above this one's.
        """
        if family != self.family:
            raise RecipeError(f"{family}/{counter} cannot follow {self.name}, which is another family's")
        if counter <= self.counter:
            raise RecipeError(f"{family}/{counter} cannot follow {self.name}: its counter must be above {self.counter}")

    def require_comparable(self, content: Exportable) -> None:
        """Refuse what no camera makes pairs of with this bundle, or whose answers cannot be compared.

        Raises:
            RecipeError: frames have another size or show another part of the picture, or a label is only in one of the
                two; the labels' order is free.
        """
        ours, theirs = _frames(self.content), _frames(content)
        if ours != theirs:
            raise RecipeError(
                f"the run cannot be compared with {self.name}, whose frames are {ours}, not {theirs}: no camera makes "
                "pairs of these. Export it without a bundle to follow"
            )
        lone = sorted(set(content.labels) ^ set(self.content.labels))
        if lone:
            has, lacks = ("the run", self.name) if lone[0] in content.labels else (self.name, "the run")
            raise RecipeError(f"the run cannot follow {self.name}: {has} has the label {lone[0]!r}, {lacks} has not")

    def disagreement(self, pictures: Split, answers: Answers, progress: Progress = lambda *_: None) -> Disagreement:
        """How often this bundle's answers are other than those of its successor.

        Args:
            pictures: as cameras see them.
            answers: of the successor, to the same pictures.
        """
        share = float((self._answers(pictures, progress) != answers).mean())
        return Disagreement(counter=self.counter, share=share, n=len(pictures))

    def _answers(self, pictures: Split, progress: Progress) -> Answers:
        """By the real encoder, real streams, the real decoder and the exported classifier."""
        encoding = self.content.encoding
        encoder, classifier = encoding.encoder(), OnnxClassifier(self.content.model)
        likeliest = np.empty(len(pictures), np.int64)
        for start in range(0, len(pictures), PART):
            part = pictures.take(slice(start, start + PART))
            frames = encoder.encode_batch(part.pixels, Stream.ABBREVIATED)
            likeliest[start : start + PART] = classifier.logits(decode(encoding.tables, frames, part)).argmax(1)
            progress(start + len(part), len(pictures))
        return np.array(self.content.labels)[likeliest]


def _frames(content: Exportable) -> str:
    return f"{content.width} x {content.height} pixels ({content.fit.mode.value}, share {content.fit.share:g})"
