"""What each remedy is worth, resumably: ``python -m dcm_helpers.ablate --help``."""

import sys
from collections.abc import Sequence

from dcm_helpers.reference import main as reference


def main(arguments: Sequence[str] | None = None) -> int:
    """The study of that question alone. Returns the exit status: 0 finished, 2 a mistake in the input, 130 stopped."""
    typed = sys.argv[1:] if arguments is None else arguments
    return reference(["--preset", "ablation", *typed])


if __name__ == "__main__":
    sys.exit(main())
