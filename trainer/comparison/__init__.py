"""What learned tables gain over others, from a ladder of evaluated runs."""

from trainer.comparison.figures import Comparison, compare
from trainer.comparison.files import write_comparison
from trainer.comparison.ladder import Kind, Ladder, LadderPoint, read_ladder
from trainer.comparison.ladder_results import read_results

__all__ = [
    "Comparison",
    "Kind",
    "Ladder",
    "LadderPoint",
    "compare",
    "read_ladder",
    "read_results",
    "write_comparison",
]
