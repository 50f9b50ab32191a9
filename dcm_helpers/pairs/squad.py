"""Pairs from SQuAD 2.0: from a local file in its own JSON, or from the Hugging Face hub."""

from collections.abc import Iterator
from pathlib import Path

from dcm_helpers.errors import InputError, require
from dcm_helpers.fetched import require_hub
from dcm_helpers.files import parsed_json, read_text
from dcm_helpers.pairs.pair import Pair, pair_from_row, question_type

SQUAD_HUB_ID = "rajpurkar/squad_v2"
EXPECTED = 'expected SQuAD\'s own form: {"data": [{"title", "paragraphs": [{"context", "qas": [...]}]}]}'


def read_squad_file(path: Path) -> Iterator[Pair | None]:
    """Pairs of a local file in SQuAD's own JSON: data > paragraphs > qas; titles, contexts and ids may be missing."""
    content = parsed_json(read_text(path), path.name, EXPECTED)
    for a, article in enumerate(entries(content, "data", path.name), start=1):
        for p, paragraph in enumerate(entries(article, "paragraphs", f"{path.name}, article {a}"), start=1):
            for q, row in enumerate(entries(paragraph, "qas", f"{path.name}, article {a}, paragraph {p}"), start=1):
                where = f"{path.name}, article {a}, paragraph {p}, question {q}"
                answers = [answer.get("text") for answer in entries(row, "answers", where)]
                texts = (paragraph.get("context"), article.get("title"))
                yield squad_pair(row, answers, *texts, where, default_id=f"{a}.{p}.{q}")


def entries(holder: object, name: str, where: str) -> list[dict]:
    """The objects in a list of an object.

    Raises:   InputError naming the place where there is no such list of objects
    """
    found = holder.get(name) if isinstance(holder, dict) else None
    right = isinstance(found, list) and all(isinstance(entry, dict) for entry in found)
    require(right, f"{where} has no list of objects {name!r}; {EXPECTED}")
    return found


def read_squad_hub() -> Iterator[Pair | None]:
    """Pairs of SQuAD 2.0's validation split from the Hugging Face hub or its cache."""
    # imported here: it costs a second that no other data set needs
    from datasets import load_dataset

    require_hub(SQUAD_HUB_ID, "give a local file in SQuAD's own JSON as the dataset")
    try:
        rows = load_dataset(SQUAD_HUB_ID, split="validation")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{SQUAD_HUB_ID} cannot be loaded: {str(error).splitlines()[0]}\n  "
            "Go online once to fill the cache, or give a local file in SQuAD's own JSON as the dataset."
        ) from error
    return (
        squad_pair(row, row["answers"]["text"], row["context"], row["title"], f"{SQUAD_HUB_ID}, row {number}", "")
        for number, row in enumerate(rows, start=1)
    )


def squad_pair(
    row: dict, answers: list, context: str | None, title: str | None, where: str, default_id: str
) -> Pair | None:
    """One SQuAD row as a Pair, with its first reference answer; ``None`` if it is unanswerable.

    Raises:   InputError naming the place and the field that is not as expected
    """
    if not answers or row.get("is_impossible") is True:
        return None
    fields = {"question": row["question"]} if "question" in row else {}
    fields |= {"id": row.get("id"), "answer": answers[0], "context": context, "topic": title}
    pair = pair_from_row(fields, where, default_id)
    return Pair(**{**vars(pair), "question_type": question_type(pair.question)})
