"""What a run is for: a classifier for ordinary JPEG, or tables and classifier for a byte budget or under a penalty."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class StandardGoal(BaseModel):
    """Ordinary JPEG: Annex K tables, IJG quality scaling, Annex K Huffman codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: Literal["standard"] = "standard"
    quality: Annotated[float, Field(ge=1, le=100)]

    def describe(self) -> str:
        """In words, for tables and plots."""
        return f"standard, quality {self.quality:g}"


class LearnedGoal(BaseModel):
    """Learned quantisation and Huffman tables that spend `budget` scan bytes a frame."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: Literal["learned"] = "learned"
    budget: Annotated[float, Field(gt=0, le=1e6)]

    def describe(self) -> str:
        """In words, for tables and plots."""
        return f"learned, budget {self.budget:g} scan bytes"


class PenalisedGoal(BaseModel):
    """The paper's: tables learned under a penalty of weight lambda; which bytes come of it shows afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: Literal["penalised"] = "penalised"
    weight: Annotated[float, Field(gt=0, le=1e6)]

    def describe(self) -> str:
        """In words, for tables and plots."""
        return f"JCC, lambda {self.weight:g}"


Goal = Annotated[StandardGoal | LearnedGoal | PenalisedGoal, Field(discriminator="tables")]
