"""A classifier in ONNX Runtime: loaded, checked against its bundle, warmed up, and run. The one door to onnxruntime."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from cloud_server.errors import ClassifierError, ClassifierFaultError
from cloud_server.inference.warm_up import BatchLimits, batch_cap, sizes_to_time
from shared.bundle import InputGeometry

Plane = npt.NDArray[np.int16] | npt.NDArray[np.float32]
Logits = npt.NDArray[np.float32]
RUN_MAX_SECONDS = 20.0
ROUNDS = 3
PREPARE_MAX_SECONDS = 60.0
"""How long ONNX Runtime may take to prepare a graph before it is told to stop: it looks between two of its passes."""
_LOG_ERRORS_ONLY = 3


class Reads(Enum):
    """What a classifier takes: levels under its bundle's tables, or dequantised coefficients of any tables."""

    LEVELS = np.int16
    COEFFICIENTS = np.float32

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of both planes' values."""
        dtype: np.dtype[Any] = np.dtype(self.value)
        return dtype


_ONNX_TYPES = {Reads.LEVELS: "tensor(int16)", Reads.COEFFICIENTS: "tensor(float)"}


class Attempt:
    """One run of a classifier, which any thread may stop.

    ONNX Runtime looks between two operators whether it is to stop; one operator that takes long is not stopped.

    Attributes:
        began: when the classifier was given the batch, on perf_counter's clock; None: not yet.
        options: ONNX Runtime's `RunOptions`.
    """

    __slots__ = ("began", "options")

    def __init__(self) -> None:
        self.began: float | None = None
        self.options: Any = onnxruntime.RunOptions()

    def stop(self) -> None:
        """Have the run end with an error, soon."""
        self.options.terminate = True


class Classifier:
    """One shared session. `run` may be called from any number of threads; each call uses only its own thread.

    Attributes:
        session: ONNX Runtime's `InferenceSession`.
        reads: what `run` takes.
        batch_max: the largest batch that pays; 1 before `warm_up`.
        seconds: processor time a frame in batches of `batch_max`; 0 before `warm_up`.
    """

    def __init__(
        self,
        session: Any,
        geometry: InputGeometry,
        reads: Reads = Reads.LEVELS,
        run_max_seconds: float = RUN_MAX_SECONDS,
    ) -> None:
        self.session = session
        self.reads = reads
        self.batch_max = 1
        self.seconds = 0.0
        self._geometry = geometry
        self._run_max_seconds = run_max_seconds

    @classmethod
    def load(
        cls,
        path: Path,
        geometry: InputGeometry,
        classes: int,
        reads: Reads = Reads.LEVELS,
        run_max_seconds: float = RUN_MAX_SECONDS,
        prepare_max_seconds: float = PREPARE_MAX_SECONDS,
    ) -> "Classifier":
        """Build the session from the file, check its inputs, and its output for one frame and for two.

        Args:
            classes: how many labels it must tell apart.
            run_max_seconds: how long a trial of the classifier may take; a graph that takes longer is stopped.
            prepare_max_seconds: how long ONNX Runtime may take to prepare the graph before it is told to stop.

        Raises:
            ClassifierError: not a model ONNX Runtime can run, or not one for this geometry and these labels.
        """
        classifier = cls(_session(path, prepare_max_seconds), geometry, reads, run_max_seconds)
        classifier._check_inputs()
        for size in (1, 2):
            classifier._check_output(size, classes)
        return classifier

    def run(self, y: Plane, c: Plane, attempt: Attempt | None = None) -> Logits:
        """Logits float32 (n, classes) of y (n, 64, h/8, w/8) and c (n, 128, h/16, w/16), both of `reads.dtype`.

        Raises:
            ClassifierFaultError: ONNX Runtime fails with these frames, or was stopped.
        """
        try:
            return self._run(y, c, attempt and attempt.options)
        except Exception as error:  # onnxruntime's errors share no base class but this
            raise ClassifierFaultError(f"the classifier fails: {_first_line(error)}") from error

    def try_run(self, y: Plane, c: Plane) -> Logits:
        """Run a classifier that has not proved itself yet; whatever goes wrong is its own fault, and soon over.

        Raises:
            ClassifierError: the classifier fails, or takes too long.
        """
        with self._watched() as options:
            return self._run(y, c, options)

    def warm_up(self, limits: BatchLimits) -> None:
        """Find `batch_max` by timing, then run every size up to it once: none is met for the first time in service.

        Time is this thread's processor time, so that a server at work does not spoil it.

        Raises:
            ClassifierError: it fails on a batch of some size, or takes too long.
        """
        seconds: dict[int, float] = {}
        for size in sizes_to_time(limits.frames):
            seconds[size] = self._seconds(size)
            if seconds[size] > limits.seconds:
                break
        self.batch_max = batch_cap(seconds, limits)
        self.seconds = seconds[self.batch_max] / self.batch_max
        self.warm_up_to(self.batch_max)

    def warm_up_to(self, batch_max: int) -> None:
        """Warm up for a `batch_max` that was found before: run every size up to it once.

        Raises:
            ClassifierError: it fails on a batch of some size, takes too long, or gives not one row a frame.
        """
        self.batch_max = batch_max
        with self._watched() as options:
            rows = [len(self._run(*self._empty(size), options)) for size in range(1, batch_max + 1)]
        for size, found in enumerate(rows, start=1):
            if found != size:
                raise ClassifierError(f"the classifier gives {found} rows of logits for {size} frames")

    def _run(self, y: Plane, c: Plane, options: Any) -> Logits:
        (logits,) = self.session.run(("logits",), {"y": y, "c": c}, options)
        return logits  # type: ignore[no-any-return]

    @contextmanager
    def _watched(self) -> Iterator[Any]:
        """Options for runs that are stopped when the block takes too long; their errors become ours."""
        attempt = Attempt()
        watchdog = threading.Timer(self._run_max_seconds, attempt.stop)
        watchdog.start()
        try:
            yield attempt.options
        except Exception as error:
            raise ClassifierError(f"the classifier fails when it is tried: {_first_line(error)}") from error
        finally:
            watchdog.cancel()

    def _seconds(self, size: int) -> float:
        y, c = self._empty(size)
        self.try_run(y, c)
        taken = []
        for _ in range(ROUNDS):
            started = time.thread_time()
            self.run(y, c)
            taken.append(time.thread_time() - started)
        return min(taken)

    def _empty(self, size: int) -> tuple[Plane, Plane]:
        rows, columns = self._geometry.height // 8, self._geometry.width // 8
        dtype = self.reads.dtype
        return np.zeros((size, 64, rows, columns), dtype), np.zeros((size, 128, rows // 2, columns // 2), dtype)

    def _check_inputs(self) -> None:
        wanted = {name: list(plane.shape[1:]) for name, plane in zip("yc", self._empty(1), strict=True)}
        offered = {node.name: node for node in self.session.get_inputs()}
        if offered.keys() != wanted.keys():
            raise ClassifierError(f"the classifier must have the inputs y and c, not {sorted(offered)}")
        kind = self.reads.dtype.name
        for name, shape in wanted.items():
            node = offered[name]
            if node.type != _ONNX_TYPES[self.reads] or node.shape[1:] != shape or isinstance(node.shape[0], int):
                raise ClassifierError(f"input {name} must be {kind} [N, {shape}], not {node.type} {node.shape}")
        outputs = [node.name for node in self.session.get_outputs()]
        if "logits" not in outputs:
            raise ClassifierError(f"the classifier must have the output logits, not {outputs}")

    def _check_output(self, size: int, classes: int) -> None:
        logits = self.try_run(*self._empty(size))
        if not isinstance(logits, np.ndarray) or logits.dtype != np.float32 or logits.shape != (size, classes):
            found = f"{logits.dtype} {logits.shape}" if isinstance(logits, np.ndarray) else type(logits).__name__
            raise ClassifierError(f"logits must be float32 ({size}, {classes}), one a label, not {found}")
        if not np.isfinite(logits).all():
            raise ClassifierError("the classifier's logits are not finite on empty frames")


def _session(path: Path, max_seconds: float) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _LOG_ERRORS_ONLY
    watchdog = threading.Timer(max_seconds, options.set_load_cancellation_flag, (True,))
    watchdog.start()
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class but this
        raise ClassifierError(f"ONNX Runtime cannot load the classifier: {_first_line(error)}") from error
    finally:
        watchdog.cancel()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
