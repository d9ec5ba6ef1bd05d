"""What a family may be called, and how that is said."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
_RULE = (
    "a family's name has lower case letters, digits and hyphens, at most 63, and does not begin with a hyphen, "
    "such as front-door"
)


def _checked(name: str) -> str:
    if not re.fullmatch(_PATTERN.strip("^$"), name):
        raise PydanticCustomError("family_name", _RULE)
    return name


Family = Annotated[str, AfterValidator(_checked), Field(json_schema_extra={"pattern": _PATTERN})]
