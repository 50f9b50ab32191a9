"""Files with something wrong in them, many and at random: each is read, or refused in a line or two; nothing hangs."""

import json
import random
import shutil

import pytest

from dcm_helpers.config import DataConfig
from dcm_helpers.errors import InputError
from dcm_helpers.pairs import load_pairs
from dcm_helpers.runs import Run, readable_run
from dcm_helpers.show import next_commands, run_summary

ODD = [
    *("null", "true", "[]", "{}", "1e999", "-1", "NaN", '""', '"\\ud800"', '"\\u0000"', "[" * 5000, "9" * 5000),
    *("\ufeff", "\x00", "\u202e", "\r", "\n", '"', ",", "}", "é", "<|im_end|>", " "),
]
PAIR = {"id": "a", "question": "Which?", "answer": "that", "context": "It is that.", "question_paraphrases": ["What?"]}
JSONL = "".join(
    json.dumps({**PAIR, "id": str(number), "answer": f"that {number}"}) + "\n" for number in range(4)
).encode()
QAS = [{"id": str(number), "question": "Which?", "answers": [{"text": f"that {number}"}]} for number in range(3)]
SQUAD = json.dumps({"data": [{"title": "T", "paragraphs": [{"context": "It is that.", "qas": QAS}]}]}).encode()


def mutated(data, draw):
    """Bytes with one to four changes: something cut, doubled, flipped, or put in the place of something else."""
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(data) + 1)
        end = min(len(data), start + draw.choice([0, 1, 1, 4, 30]))
        kind = draw.randrange(5)
        if kind == 0:
            data = data[:start] + data[end:]
        elif kind == 1:
            data = data[:end] + data[start:]
        elif kind == 2:
            data = data[:start] + draw.choice(ODD).encode("utf-8", "surrogatepass") + data[end:]
        elif kind == 3:
            data = data[:start] + bytes(draw.randrange(256) for _ in range(end - start)) + data[end:]
        elif draw.random() < 0.2:
            data = data[:start]
    return data


def refused_well(error):
    """Whether an error is one that a user can read."""
    return 0 < len(str(error).splitlines()) <= 2 and len(str(error)) < 1500


@pytest.mark.parametrize(("name", "data"), [("p.jsonl", JSONL), ("s.json", SQUAD)])
def test_data_files(tmp_path, name, data):
    draw, read, refused = random.Random(name), 0, 0
    for _ in range(400):
        path = tmp_path / name
        path.write_bytes(mutated(data, draw))
        try:
            dataset = load_pairs(DataConfig(str(path), 10))
        except InputError as error:
            assert refused_well(error)
            refused += 1
        else:
            read += 1
            assert all(pair.question.strip() and pair.answer.strip() and pair.id.strip() for pair in dataset.pairs)
            dataset.fingerprint()
            assert "\n" not in str(dataset)
    assert read > 20 and refused > 20, "the changes are too large, or too small, to test anything"


def test_run_folders(tmp_path, example):
    """Whatever is changed in one file of a run, what looks at runs says it, or reads what is left."""
    draw, read, refused = random.Random(0), 0, 0
    names = sorted(path.name for path in example.folder.path.iterdir() if path.is_file() and path.name != ".lock")
    for number in range(120):
        folder = tmp_path / str(number)
        shutil.copytree(example.folder.path, folder, ignore=shutil.ignore_patterns(".lock", "shown", "report"))
        path = folder / draw.choice(names)
        path.write_bytes(mutated(path.read_bytes(), draw))
        try:
            run = Run(readable_run(folder), example.generator)
            run_summary(run.folder), next_commands(run.folder), run.folder.histories()
            assert all(each.content.isfinite().all() for each in run.solutions)
        except InputError as error:
            assert refused_well(error), error
            refused += 1
        else:
            read += 1
        shutil.rmtree(folder)
    assert read > 10 and refused > 30
