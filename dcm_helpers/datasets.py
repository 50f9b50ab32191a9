"""Question-answer pairs: the shipped set, SQuAD 2.0, generated arithmetic, and any user's file.

Every loader gives the same :class:`Pair`; :func:`load_pairs` adds a report of what was left out and why.
"""

import hashlib
import itertools
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dcm_helpers.config import PROJECT, DataConfig, InputError, require
from dcm_helpers.models import require_hub

SHIPPED = PROJECT / "data" / "pairs.jsonl"
SQUAD_HUB_ID = "rajpurkar/squad_v2"
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


@dataclass
class Dataset:
    """The pairs of a run and an account of what the source held."""

    source: str
    pairs: list[Pair]
    available: int
    """Usable pairs in the source, before sampling."""
    left_out: dict[str, int] = field(default_factory=dict)
    """How many rows were skipped, by reason: 'unanswerable', 'empty', 'duplicate'."""

    def fingerprint(self) -> str:
        """SHA-256 over every field of every pair, in order."""
        text = json.dumps([asdict(pair) for pair in self.pairs], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def __str__(self) -> str:
        skipped = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items() if count)
        account = f"{len(self.pairs)} of {self.available} pairs from {self.source}"
        return f"{account}; left out: {skipped}" if skipped else account


def load_pairs(config: DataConfig) -> Dataset:
    """Load the pairs that a configuration names.

    The pairs come in an order shuffled by ``data_seed``, and the first ``num_examples`` are taken: a smaller set is the
    beginning of a larger one, and the first pairs of a run represent it.

    Raises:   InputError naming the file and line, what was expected, and the way out
    """
    rows, source = open_source(config)
    left_out = {"unanswerable": 0, "empty": 0, "duplicate": 0}
    pairs: list[Pair] = []
    seen_texts: set[tuple[str, str]] = set()
    seen_ids: set[str] = set()
    for pair in rows:
        if pair is None:
            left_out["unanswerable"] += 1
            continue
        texts = (pair.question.casefold(), pair.answer.casefold())
        if not all(texts):
            left_out["empty"] += 1
        elif texts in seen_texts:
            left_out["duplicate"] += 1
        else:
            require(
                pair.id not in seen_ids,
                f"{source}: id {pair.id!r} stands for two different pairs; ids must be unique, since results are "
                "filed under them. Rename one, or drop the id field to have ids made.",
            )
            seen_texts.add(texts)
            seen_ids.add(pair.id)
            pairs.append(pair)
    if not pairs:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "it is empty"
        raise InputError(f"{source} holds no usable pair ({reasons}); expected at least one question with an answer")
    random.Random(config.data_seed).shuffle(pairs)
    return Dataset(source, pairs[: config.num_examples], len(pairs), left_out)


def open_source(config: DataConfig) -> tuple[Iterable[Pair | None], str]:
    """The rows of a data set and a name to report it by; ``None`` stands for an unanswerable question."""
    if config.dataset == "pairs":
        return read_jsonl(SHIPPED), "pairs (shipped)"
    if config.dataset == "squad_v2":
        return read_squad_hub(), f"{SQUAD_HUB_ID} (validation split)"
    if config.dataset == "arithmetic":
        return make_arithmetic(), "arithmetic (generated)"
    path = Path(config.dataset).expanduser()
    require(
        path.is_file(),
        f"dataset {config.dataset!r} is neither a known name nor a file here; expected pairs, squad_v2, arithmetic, a "
        "SQuAD .json or a .jsonl file",
    )
    if path.suffix == ".jsonl":
        return read_jsonl(path), path.name
    if path.suffix == ".json":
        return read_squad_file(path), path.name
    raise InputError(f"dataset {config.dataset!r} ends in {path.suffix!r}; expected .json (SQuAD's own) or .jsonl")


def read_text(path: Path) -> str:
    """A file's text, with an error that says what to do about a wrong encoding."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no UTF-8 text (byte {error.start}); save it as UTF-8") from error


def read_jsonl(path: Path) -> Iterator[Pair]:
    """Pairs of a JSONL file: one object per line with "question" and "answer", the other fields of Pair optional."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{where} is no JSON ({error.msg} at column {error.colno}); expected one object per line, for instance "
                '{"question": "What is 2 + 2?", "answer": "4"}'
            ) from error
        yield pair_from_row(row, where, default_id=f"line-{number}")


def pair_from_row(row: object, where: str, default_id: str) -> Pair:
    """Check one row of a user's file and make a Pair of it.

    Raises:   InputError naming the place, the field and what was expected
    """
    found = type(row).__name__
    require(isinstance(row, dict), f'{where}: expected an object with "question" and "answer", found {found}')
    for name in ("question", "answer"):
        require(
            name in row, f"{where}: field {name!r} is missing; found {', '.join(map(repr, row)) or 'no fields at all'}"
        )
    texts = {"id": default_id}
    for name in ("id", "question", "answer", "context", "topic", "question_type"):
        value = row.get(name, texts.get(name, ""))
        require(isinstance(value, str), f"{where}: field {name!r} is {value!r}; expected text in quotes")
        texts[name] = value.strip()
    require(texts["id"] != "", f"{where}: field 'id' is empty; expected a name, or no such field")
    lists = {}
    for name in ("question_paraphrases", "answer_paraphrases"):
        values = row.get(name, [])
        require(
            isinstance(values, list) and all(isinstance(value, str) for value in values),
            f"{where}: field {name!r} is {values!r}; expected a list of texts",
        )
        lists[name] = tuple(value.strip() for value in values)
    return Pair(**texts, **lists)


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


def make_arithmetic() -> Iterator[Pair]:
    """Every addition, subtraction and multiplication of two numbers from 2 to 99 with a result of at least 0."""
    results = {"+": int.__add__, "-": int.__sub__, "×": int.__mul__}
    topics = {"+": "addition", "-": "subtraction", "×": "multiplication"}
    for a, sign, b in itertools.product(range(2, 100), results, range(2, 100)):
        if sign == "-" and b > a:
            continue
        answer = str(results[sign](a, b))
        yield Pair(
            id=f"{a}{sign}{b}",
            question=f"What is {a} {sign} {b}?",
            answer=answer,
            context=f"{a} {sign} {b} = {answer}",
            topic=topics[sign],
            question_type="how_many",
        )
