"""A question-answer pair, checked where it comes from somebody's file, and what kind of question it asks."""

import itertools
import unicodedata
from dataclasses import dataclass

from dcm_helpers.config import Kind
from dcm_helpers.errors import require
from dcm_helpers.markup import half_a_character

SHAPELESS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs that are drawn as nothing: fillers, and Braille without a dot."""
OPTIONAL = ("context", "topic", "question_type")
PARAPHRASES = ("question_paraphrases", "answer_paraphrases")
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
        """Other phrasings of the text of a kind; none of a kind that has no field for them."""
        return getattr(self, f"{kind}_paraphrases", ())


def question_type(question: str) -> str:
    """The first question word of a question: 'who', 'how many', ... or 'other'."""
    words = [word.strip("?,.;:'\"").casefold() for word in question.split()]
    for word, following in itertools.pairwise([*words, ""]):
        if word == "how" and following in ("many", "much"):
            return "how_many"
        if word in QUESTION_WORDS:
            return word
        if word in ("whom", "whose"):
            return "who"
    return "other"


def pair_from_row(row: object, where: str, default_id: str) -> Pair:
    """Check one row and make a Pair of it. An optional field may also be null, and an id a whole number.

    Raises:   InputError naming the place, the field and what was expected
    """
    found = type(row).__name__
    require(isinstance(row, dict), f'{where}: expected an object with "question" and "answer", found {found}')
    for name in ("question", "answer"):
        require(
            name in row, f"{where}: field {name!r} is missing; found {', '.join(map(repr, row)) or 'no fields at all'}"
        )
    number = row.get("id")
    if number is None or (isinstance(number, int) and not isinstance(number, bool)):
        row = {**row, "id": default_id if number is None else str(number)}
    texts = {name: text_of(row[name], name, where) for name in ("id", "question", "answer")}
    texts |= {name: text_of(row[name], name, where) for name in OPTIONAL if row.get(name) is not None}
    require(not is_blank(texts["id"]), f"{where}: field 'id' is empty; expected a name, or no such field")
    lists = {}
    for name in PARAPHRASES:
        values = [] if row.get(name) is None else row[name]
        require(isinstance(values, list), f"{where}: field {name!r} is {values!r}; expected a list of texts")
        texts_of_name = [text_of(value, name, where) for value in values]
        lists[name] = tuple(text for text in texts_of_name if not is_blank(text))
    return Pair(**texts, **lists)


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: white space, controls, lone marks, signs without a shape."""
    return all(unicodedata.category(sign)[0] in "ZCM" or sign in SHAPELESS for sign in text)


def text_of(value: object, name: str, where: str) -> str:
    """A field's text, without white space around it.

    Raises:   InputError if it is no text, or holds half of a character, which no file and no tokenizer can take
    """
    require(isinstance(value, str), f"{where}: field {name!r} is {value!r}; expected text in quotes")
    half = half_a_character(value)
    require(half is None, f"{where}: field {name!r} holds {half!r}, half of a character; write the whole character")
    return value.strip()
