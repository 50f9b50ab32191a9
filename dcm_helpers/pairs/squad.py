"""Pairs from SQuAD 2.0: from a local file in its own JSON, or from the Hugging Face hub."""

import json
from collections.abc import Iterator
from pathlib import Path

from dcm_helpers.config import InputError, require
from dcm_helpers.files import read_text
from dcm_helpers.generator import require_hub
from dcm_helpers.pairs.pair import Pair, question_type

SQUAD_HUB_ID = "rajpurkar/squad_v2"


def read_squad_file(path: Path) -> Iterator[Pair | None]:
    """Pairs of a local file in SQuAD's own JSON: data > paragraphs > qas."""
    expected = 'expected SQuAD\'s own form: {"data": [{"title", "paragraphs": [{"context", "qas": [...]}]}]}'
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path.name}, line {error.lineno} is no JSON ({error.msg}); {expected}") from error
    require(isinstance(content, dict) and "data" in content, f"{path.name} has no field 'data'; {expected}")
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for row in paragraph["qas"]:
                    answers = [answer["text"] for answer in row["answers"]]
                    yield squad_pair(row["id"], row["question"], answers, paragraph["context"], article["title"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path.name} is not in SQuAD's form ({type(error).__name__}: {error}); {expected}") from error


def read_squad_hub() -> Iterator[Pair | None]:
    """Pairs of SQuAD 2.0's validation split from the Hugging Face hub or its cache."""
    # imported here: it costs a second that no other data set needs
    from datasets import load_dataset

    require_hub(SQUAD_HUB_ID, "give a local file in SQuAD's own JSON as the dataset")
    try:
        rows = load_dataset(SQUAD_HUB_ID, split="validation")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{SQUAD_HUB_ID} cannot be loaded: {str(error).splitlines()[0]}\n"
            "Go online once to fill the cache, or give a local file in SQuAD's own JSON as the dataset."
        ) from error
    return (
        squad_pair(row["id"], row["question"], row["answers"]["text"], row["context"], row["title"]) for row in rows
    )


def squad_pair(pair_id: str, question: str, answers: list[str], context: str, title: str) -> Pair | None:
    """One SQuAD row as a Pair, with its first reference answer; ``None`` if it is unanswerable."""
    if not answers:
        return None
    return Pair(
        id=pair_id,
        question=question.strip(),
        answer=answers[0].strip(),
        context=context.strip(),
        topic=title,
        question_type=question_type(question),
    )
