"""Errors that a user can do something about."""

NEXT_LINE = "\n  "
"""A message's own line breaks are indented; any other comes from what it quotes."""
HALF_A_LINE = 300
"""Characters at the beginning and at the end of a longer line of an error that are shown."""


class InputError(Exception):
    """Something the user gave cannot work; the message names it, what was expected, and the way out.

    A message quotes what was given, which may be as long as a file; its middle is left out then.
    """

    def __init__(self, message: str):
        super().__init__(shortened(message))


def shortened(message: str) -> str:
    """A message whose lines are at most some hundred characters long."""
    return "\n".join(map(without_middle, message.split("\n")))


def without_middle(line: str) -> str:
    """A line of at most some hundred characters: of a longer one, its beginning and its end."""
    return line if len(line) <= 2 * HALF_A_LINE else f"{line[:HALF_A_LINE]} [...] {line[-HALF_A_LINE:]}"


def require(condition: bool, message: str) -> None:
    """Raise :class:`InputError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise InputError(message)
