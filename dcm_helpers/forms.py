"""Forms of what is read from elsewhere, and checking against them: for run folders and for messages of workers."""

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from dcm_helpers.errors import InputError

MOST = 10**12
"""No count of a run is larger."""
Count = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[int, Field(ge=1, le=MOST)]
Share = Annotated[float, Field(ge=0, le=1)]
Word = Annotated[str, Field(pattern=r"^\w*$")]
"""A name out of a list; what is shown of a run cannot break its lines."""
Seconds = Annotated[float, Field(ge=0)]
Precision = Literal["float64", "float32", "bfloat16", "float16"]
Number = float | None
"""JSON has no NaN and no infinities; they are stored as null."""
strict = with_config(ConfigDict(strict=True, extra="allow", allow_inf_nan=False))
"""Types are taken at their word; what a later version adds is let through."""


@cache
def adapter(form: type) -> TypeAdapter:
    """What checks a form; made once, since making it takes milliseconds."""
    return TypeAdapter(form)


def checked(value: object, form: type, where: str, way_out: str) -> Any:
    """A value that was read, if it has the form it should have.

    Raises:   InputError in one line: the place, the field, what it is and what was expected
    """
    try:
        return adapter(form).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"])) or "it"
        found = "" if first["type"] == "missing" else f", found {first['input']!r}"
        raise InputError(f"{where}: {field}: {first['msg']}{found}; {way_out}") from error
