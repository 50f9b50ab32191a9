"""A question-answer pair, and what kind of question it asks."""

from dataclasses import dataclass

from dcm_helpers.config import Kind

QUESTION_WORDS = ("who", "what", "when", "where", "which", "why", "how")


@dataclass(frozen=True)
class Pair:
    """A question and its answer, with what is known about them."""

    id: str
    question: str
    answer: str
    context: str = ""
    """Text that contains the answer; empty where there is none."""
    topic: str = ""
    question_type: str = ""
    question_paraphrases: tuple[str, ...] = ()
    answer_paraphrases: tuple[str, ...] = ()

    def text(self, kind: Kind) -> str:
        """The pair's text of a kind."""
        return getattr(self, kind)

    def paraphrases(self, kind: Kind) -> tuple[str, ...]:
        """Other phrasings of the text of a kind."""
        return getattr(self, f"{kind}_paraphrases")


def question_type(question: str) -> str:
    """The first question word of a question: 'who', 'how many', ... or 'other'."""
    words = [word.strip("?,.;:'\"").casefold() for word in question.split()]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "how" and following in ("many", "much"):
            return "how_many"
        if word in QUESTION_WORDS:
            return word
        if word in ("whom", "whose"):
            return "who"
    return "other"
