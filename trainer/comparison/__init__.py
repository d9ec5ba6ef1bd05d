"""What learned tables gain over others, from a ladder of evaluated runs."""

from trainer.comparison.figures import Comparison, compare
from trainer.comparison.files import write_comparison
from trainer.comparison.ladder_results import LADDER_NAME, Kind, Ladder, LadderPoint, read_ladder, read_results
from trainer.comparison.report import comparison_tables

__all__ = [
    "LADDER_NAME",
    "Comparison",
    "Kind",
    "Ladder",
    "LadderPoint",
    "compare",
    "comparison_tables",
    "read_ladder",
    "read_results",
    "write_comparison",
]
