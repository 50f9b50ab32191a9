"""What each remedy is worth, resumably: ``python -m dcm_helpers.ablate --help``."""

import sys
from collections.abc import Sequence
from functools import partial

from dcm_helpers.reference import reference
from dcm_helpers.shell import CONTINUES, command_line

PURPOSE = """Say what each remedy is worth: contents found with it, beside those found without any.

A study of its own, made as any other: everything finished is stored at once, and the same command continues. --plan
says what each part needs; --remedies tries only some of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The study of what could be asked for beside cross-entropy. Returns the exit status, as that of any study."""
    ablation = partial(reference, usual="ablation", program="ablate", purpose=PURPOSE)
    return command_line(ablation, arguments, CONTINUES)


if __name__ == "__main__":
    sys.exit(main())
