"""What is computed once and kept beside a run: positions in a plane, token probabilities of what is written."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from dcm_helpers.files import finite, json_line, write_safely

FORMAT = b"1"
"""Change it when what is kept changes its form."""
FOLDER = "shown"
"""Of a run folder; it may be deleted at any time, and is made again."""


def kept(run: Path, name: str, of: object, make: Callable[[], dict]) -> dict:
    """What ``make`` gives, from the run's folder where the same was kept before.

    Args:     of  everything that decides the result: settings, and bytes of what was measured
    """
    data = of if isinstance(of, bytes) else json.dumps(of, sort_keys=True).encode()
    path = run / FOLDER / f"{name}-{hashlib.sha256(FORMAT + data).hexdigest()[:16]}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    value = finite(make())
    try:
        path.parent.mkdir(exist_ok=True)
        write_safely(path, json_line(value))
    except OSError:  # a run that cannot be written can still be looked at; next time it is computed again
        return value
    return value
