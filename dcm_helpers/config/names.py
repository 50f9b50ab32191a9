"""Names, constants and places that settings are made of. ``DCM_...`` variables are read here and nowhere else."""

import os
from pathlib import Path
from typing import Literal, TypeVar

from dcm_helpers.errors import InputError

Value = TypeVar("Value", str, int, float, Path)

PROJECT = Path(__file__).resolve().parent.parent.parent
"""Root of the project: a clone, since data and notebooks are not part of the installed package."""

StopRule = Literal["exact", "confident", "minimize"]
Schedule = Literal["constant", "cosine", "progressive"]
Weighting = Literal["token", "view"]
Compiling = Literal["auto", "always", "never"]
Layers = Literal["trained", "shuffled", "random"]
Lives = Literal["direct", "held_norm", "mlp", "projection"]
"""Where contents live."""
Kind = Literal["question", "answer"]
"""What a text of a pair is."""

MODES: dict[str, Kind] = {"Q": "question", "A": "answer"}
"""By mode word, the kind of text that it asks for; records and tables have them in this order."""

PLATEAU_STEPS = 50
"""Stop rule `minimize` ends once the best loss has not improved by IMPROVEMENT in this many steps."""
STALL_STEPS = 200
"""An attempt that is not reconstructed is given up after this many steps without IMPROVEMENT."""
IMPROVEMENT = 0.01
"""Relative decrease of the best loss that counts as improvement."""
ADDED_LATER = frozenset({"task_steps"})
"""Settings that earlier versions lack, by name: at their default they identify no run, so that old ones continue."""
DRAWN = ("tokens", "gaussian", "shared")
"""Starts that are drawn at random; any other has a file."""
LEARNED = "learned"
"""The start that ships for a Generator."""
NEWER = ("mlp", "projection")
"""Parameterizations that the first versions lacked."""
CONFIDENCE = 0.5
"""Stop rule `confident`: probability that every target token, EOS included, must reach in every view."""


def parameter(name: str, default: Value) -> Value:
    """A notebook's parameter: the environment variable ``DCM_NAME`` in the type of the default, or the default."""
    variable, kind = f"DCM_{name.upper()}", type(default)
    text = os.environ.get(variable, "")
    try:
        value = kind(text) if text else default
        return value.expanduser() if isinstance(value, Path) else value
    except ValueError as error:
        raise InputError(f"{variable} is {text!r}; expected {kind.__name__}, for instance {default}") from error
