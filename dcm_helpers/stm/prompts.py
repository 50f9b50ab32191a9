"""What the Generator reads in place of an STM when a pair is given as text: the prompts of the text baselines."""

from dcm_helpers.config import Kind
from dcm_helpers.pairs import Pair

Prompt = tuple[str, str]
"""Text that a user would write, and the word that asks for the target where there is no chat template."""


def text_prompts(pair: Pair) -> dict[Kind, dict[str, Prompt | None]]:
    """By kind of text, the prompts that ask for it, by baseline; None where the pair has no context.

    A kind of text that is not here has no baselines of text.
    """
    ask = (f"{pair.context}\n\nAsk one question about this text.", "Question") if pair.context else None
    read = (f"{pair.context}\n\n{pair.question}", "Answer") if pair.context else None
    return {
        "question": {"full_context": ask},
        "answer": {"question_only": (pair.question, "Answer"), "full_context": read},
    }
