"""What all sections of a recipe are: frozen, without unknown keys, without silent conversions."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Count = Annotated[int, Field(ge=1, le=10_000_000)]
Rate = Annotated[float, Field(gt=0, le=10)]


class Section(BaseModel):
    """A section of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def faults(error: ValidationError) -> str:
    """What is wrong with a section, a line for each fault."""
    return "\n".join(
        f"  {'.'.join(str(part) for part in fault['loc']) or 'recipe'}: {fault['msg']}" for fault in error.errors()
    )
