"""What crosses the network between the programs: batches, results, assignments, problems."""

from shared.wire.batch import (
    BATCH_MAX_FRAMES,
    BATCH_MAX_PREFIX_BYTES,
    BATCH_MEDIA_TYPE,
    Batch,
    BatchError,
    BatchItem,
)
from shared.wire.messages import (
    TOP_MAX,
    Assignment,
    BatchProblems,
    BatchResults,
    DeviceSecret,
    Enrolment,
    EnrolmentRequest,
    FrameResult,
    ItemProblem,
    LabelReport,
    LabelSource,
    Match,
    RankedLabel,
)
from shared.wire.planes import DOCUMENT_PATH, Plane, plane_of
from shared.wire.problems import PROBLEM_MEDIA_TYPE, SEQUENCE_MAX, Problem, ProblemCode, Retry

__all__ = [
    "BATCH_MAX_FRAMES",
    "BATCH_MAX_PREFIX_BYTES",
    "BATCH_MEDIA_TYPE",
    "DOCUMENT_PATH",
    "PROBLEM_MEDIA_TYPE",
    "SEQUENCE_MAX",
    "TOP_MAX",
    "Assignment",
    "Batch",
    "BatchError",
    "BatchItem",
    "BatchProblems",
    "BatchResults",
    "DeviceSecret",
    "Enrolment",
    "EnrolmentRequest",
    "FrameResult",
    "ItemProblem",
    "LabelReport",
    "LabelSource",
    "Match",
    "Plane",
    "Problem",
    "ProblemCode",
    "RankedLabel",
    "Retry",
    "plane_of",
]
