"""What a run is for: which tables its frames have, and how many bytes they may cost."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

BUDGET_MOST = 1e6  # scan bytes a frame


def _is_a_byte(budget: float) -> float:
    if budget < 1:
        raise ValueError("no scan is shorter than a byte")
    return budget


Budget = Annotated[float, Field(gt=0, le=BUDGET_MOST), AfterValidator(_is_a_byte)]


class _Goal(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AnyTablesGoal(_Goal):
    """Frames of any tables: the classifier for frames whose tables are unknown, and the start of all others."""

    tables: Literal["any"] = "any"

    def describe(self) -> str:
        """In words, for tables and plots."""
        return "any tables"


class StandardGoal(_Goal):
    """Ordinary JPEG: Annex K's tables, IJG quality scaling.

    Args:
        quality: IJG quality; Annex K's Huffman codes then, as in most JPEG files.
        budget: scan bytes a frame instead; the quality is found and Huffman codes are fitted, as for learned tables.
        rdo_multiplier: squared steps that a bit is worth in rate-distortion optimised quantisation; 0: none.
    """

    tables: Literal["standard"] = "standard"
    quality: Annotated[float, Field(ge=1, le=100)] | None = None
    budget: Budget | None = None
    rdo_multiplier: Annotated[float, Field(ge=0, le=10)] = 0.0

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if (self.quality is None) == (self.budget is None):
            raise ValueError("standard tables need a quality or a budget, and not both")
        return self

    def describe(self) -> str:
        """In words, for tables and plots."""
        target = f"budget {self.budget:g} scan bytes" if self.quality is None else f"quality {self.quality:g}"
        return f"standard{' with RDO' if self.rdo_multiplier else ''}, {target}"


class SensitivityGoal(_Goal):
    """Tables from what the classifier feels, made once: no joint learning."""

    tables: Literal["sensitivity"] = "sensitivity"
    budget: Budget

    def describe(self) -> str:
        """In words, for tables and plots."""
        return f"sensitivity only, budget {self.budget:g} scan bytes"


class LearnedGoal(_Goal):
    """Quantisation and Huffman tables learned together with the classifier, spending `budget` scan bytes a frame."""

    tables: Literal["learned"] = "learned"
    budget: Budget

    def describe(self) -> str:
        """In words, for tables and plots."""
        return f"learned, budget {self.budget:g} scan bytes"


class KeptGoal(_Goal):
    """The tables and encoder settings of the run that the training starts from: the net alone learns."""

    tables: Literal["kept"] = "kept"

    def describe(self) -> str:
        """In words, for tables and plots."""
        return "tables kept"


class PenalisedGoal(_Goal):
    """The paper's: tables learned under a penalty of weight lambda; which bytes come of it shows afterwards."""

    tables: Literal["penalised"] = "penalised"
    weight: Annotated[float, Field(gt=0, le=1e6)]

    def describe(self) -> str:
        """In words, for tables and plots."""
        return f"JCC, lambda {self.weight:g}"


BudgetedGoal = StandardGoal | SensitivityGoal | LearnedGoal
ImprovedGoal = AnyTablesGoal | KeptGoal | BudgetedGoal
PaperGoal = StandardGoal | PenalisedGoal
Goal = Annotated[ImprovedGoal | PaperGoal, Field(discriminator="tables")]
