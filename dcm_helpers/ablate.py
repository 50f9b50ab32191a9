"""What each remedy is worth, resumably: ``python -m dcm_helpers.ablate --help``."""

import sys
from collections.abc import Sequence

from dcm_helpers.reference import main as reference


def main(arguments: Sequence[str] | None = None) -> int:
    """The study of what could be asked for beside cross-entropy. Returns the exit status, as that of any study."""
    typed = sys.argv[1:] if arguments is None else arguments
    return reference(["--preset", "ablation", *typed])


if __name__ == "__main__":
    sys.exit(main())
