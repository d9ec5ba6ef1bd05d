"""An exported classifier that reads frames of any tables: coefficients in the unit that its graph was made for.

The graph takes levels of its own tables, with the steps folded into its first weights. A frame of other tables has
coefficients between these levels; divided by the graph's steps, and not rounded, they mean to it what they are.
"""

import numpy as np
from numpy.typing import NDArray

from trainer.diff_jpeg import Planes
from trainer.diff_jpeg.quantise import as_channels
from trainer.encoding.encodings import steps_of
from trainer.export.bundle import Exportable
from trainer.export.classifier import OnnxClassifier
from trainer.export.onnx_writer import with_float_inputs
from trainer.field.requantising import Target, requantised
from trainer.field.uploads import Rows, Uploads, parts


class FieldReader:
    """The classifier of a bundle or run, for frames of the field."""

    def __init__(self, content: Exportable, threads: int = 1) -> None:
        self._classifier = OnnxClassifier(with_float_inputs(content.model), threads)
        self._y_steps, self._c_steps = as_channels(steps_of(content.encoding))
        self._target = Target.of(content.encoding)
        self._classes = len(content.labels)

    def logits(self, uploads: Uploads, rows: Rows) -> NDArray[np.float32]:
        """What it says of some frames, float32 (n, classes): as its own cameras would have sent them where that can be
        known (`requantising`), else as they were sent."""
        some = [self._of(self.seen(uploads, rows[part])) for part in parts(len(rows))]
        return np.concatenate(some) if some else np.empty((0, self._classes), np.float32)

    def seen(self, uploads: Uploads, rows: Rows) -> Planes:
        """The dequantised coefficients that it is given of some frames."""
        return requantised(uploads.dequantised(rows), uploads.steps(rows), self._target)

    def _of(self, frames: Planes) -> NDArray[np.float32]:
        return self._classifier.logits(Planes(frames.y / self._y_steps, frames.c / self._c_steps))
