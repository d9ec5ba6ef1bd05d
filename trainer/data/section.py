"""What [data] sections have in common; each stands beside the data set that it describes."""

from typing import Annotated

from pydantic import Field

Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Pad = Annotated[int, Field(ge=0, lt=16)]
