"""Loaders give the same Pair, and every mistake in a file gets an error that says where and what to do."""

import json
import re
from collections import Counter

import pytest
from huggingface_hub import constants

from dcm_helpers.config import DataConfig
from dcm_helpers.errors import InputError
from dcm_helpers.pairs import SOURCES, Pair, load_pairs
from dcm_helpers.pairs.load import Source
from dcm_helpers.pairs.pair import question_type
from dcm_helpers.run_phase1a import parse


def load(path, **settings):
    return load_pairs(DataConfig(dataset=str(path), **settings))


def write(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_shipped_pairs_are_what_the_card_says(pairs):
    assert len(pairs) >= 120
    topics = Counter(pair.topic for pair in pairs)
    assert len(topics) >= 10 and min(topics.values()) >= 10
    assert len({pair.question_type for pair in pairs}) >= 5
    for pair in pairs:
        assert pair.answer in pair.context and pair.question.endswith("?")
        assert len(set(pair.question_paraphrases) - {pair.question}) == 3
        assert len(pair.answer_paraphrases) <= 2
    assert sum(len(pair.answer_paraphrases) == 2 for pair in pairs) >= 110


def test_long_pairs_are_what_the_card_says(pairs):
    long = load_pairs(DataConfig(dataset="long", num_examples=100)).pairs
    assert Counter(pair.question_type for pair in long) == {"why": 16, "how": 16, "what": 16}
    assert set(Counter(pair.topic for pair in long).values()) == {4}
    assert {pair.topic for pair in long} == {pair.topic for pair in pairs}
    for pair in long:
        assert pair.answer in pair.context and pair.question.endswith("?") and pair.answer.endswith(".")
        assert 20 <= len(pair.answer.split()) <= 80, "long in words, whatever the tokenizer"
        assert len(set(pair.question_paraphrases) - {pair.question}) == 3 and len(pair.answer_paraphrases) == 1
    assert not {pair.id for pair in long} & {pair.id for pair in pairs}


def test_pairs_to_learn_from_are_no_others():
    """A start is judged on pairs that it was not learned from: other topics, and no question is nearly another's."""
    sets = {
        name: load_pairs(DataConfig(dataset=name, num_examples=200)).pairs for name in ("training", "pairs", "long")
    }
    training, others = sets["training"], [*sets["pairs"], *sets["long"]]
    assert len(training) == 96 and not {each.topic for each in training} & {each.topic for each in others}

    def words(pair):
        return set(re.findall(r"\w+", pair.question.lower()))

    shared = max(len(words(a) & words(b)) / len(words(a) | words(b)) for a in training for b in others)
    assert shared < 0.6


def test_a_smaller_sample_begins_a_larger_one():
    small, large = (load_pairs(DataConfig(num_examples=n)).pairs for n in (10, 100))
    assert small == large[:10]
    assert load_pairs(DataConfig(num_examples=10, data_seed=1)).pairs != small


def test_squad_file(squad_sample):
    data = load(squad_sample, num_examples=5000)
    assert len(data.pairs) == data.available == 1593
    assert data.left_out == {"unanswerable": 1575, "empty": 0, "duplicate": 0}
    assert all(pair.answer in pair.context and pair.topic and pair.question_type for pair in data.pairs)


def squad(answers):
    qas = [{"id": f"q{i}", "question": f"Which {i}?", "answers": texts} for i, texts in enumerate(answers)]
    return {"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "One two.", "qas": qas}]}]}


def test_squad_file_with_only_unanswerable_questions(tmp_path):
    with pytest.raises(InputError, match=r"no usable pair \(3 unanswerable\)"):
        load(write(tmp_path / "s.json", squad([[], [], []])))


@pytest.mark.parametrize("content", ["[]", '{"data": [{"paragraphs": 3}]}', '{"data": 3}', '{"rows": []}', "{"])
def test_json_that_is_not_squads(tmp_path, content):
    with pytest.raises(InputError, match=r"s\.json.*expected SQuAD's own form"):
        load(write(tmp_path / "s.json", content))


def test_jsonl_counts_duplicates_and_empty_rows(tmp_path):
    rows = [{"question": " A? ", "answer": "b"}, "", {"question": "A?", "answer": "b"}, {"question": "", "answer": "x"}]
    data = load(write(tmp_path / "p.jsonl", *rows))
    assert [(pair.id, pair.question, pair.answer) for pair in data.pairs] == [("line-1", "A?", "b")]
    assert data.left_out == {"unanswerable": 0, "empty": 1, "duplicate": 1}
    assert "1 empty, 1 duplicate" in str(data)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"question": "A?", "answer": ', "line 2 is no JSON"),
        ("[1, 2]", "line 2: expected an object .* found list"),
        ({"question": "A?"}, "line 2: field 'answer' is missing; found 'question'"),
        ({"question": "A?", "answer": 4}, "line 2: field 'answer' is 4; expected text in quotes"),
        ({"question": "A?", "answer": "4", "id": " "}, "line 2: field 'id' is empty"),
        ({"question": "A?", "answer": "4", "question_paraphrases": "B?"}, "line 2: field 'question_paraphrases'"),
        ({"question": "A?", "answer": "4", "id": "one"}, "id 'one' stands for two different pairs"),
    ],
)
def test_bad_rows_of_a_users_file(tmp_path, row, message):
    good = {"id": "one", "question": "What?", "answer": "that"}
    with pytest.raises(InputError, match=message):
        load(write(tmp_path / "p.jsonl", good, row))


def test_files_that_are_not_there_or_of_another_kind(tmp_path):
    with pytest.raises(InputError, match="neither a known name nor a file"):
        load(tmp_path / "missing.jsonl")
    with pytest.raises(InputError, match=r"ends in '\.csv'; expected \.json"):
        load(write(tmp_path / "p.csv", "a,b"))
    (tmp_path / "latin.jsonl").write_bytes(b'{"question": "\xe9?"}')
    with pytest.raises(InputError, match="no UTF-8"):
        load(tmp_path / "latin.jsonl")
    with pytest.raises(InputError, match="it is empty"):
        load(write(tmp_path / "empty.jsonl", ""))


def test_arithmetic_is_right_and_seeded():
    data = load("arithmetic", num_examples=50, data_seed=3)
    for pair in data.pairs:
        expression = pair.question.removeprefix("What is ").removesuffix("?")
        first, sign, second = expression.split()
        results = {"+": int(first) + int(second), "-": int(first) - int(second), "×": int(first) * int(second)}
        assert pair.answer == str(results[sign])
    assert data.fingerprint() == load("arithmetic", num_examples=50, data_seed=3).fingerprint()
    assert data.fingerprint() != load("arithmetic", num_examples=50, data_seed=4).fingerprint()
    with pytest.raises(InputError, match="num_examples is 0"):
        load("arithmetic", num_examples=0)


def test_hub_that_does_not_answer_fails_within_seconds(monkeypatch):
    """Port 9 of this machine stands for a network without a hub."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"the hub does not answer.*\n.*local file in SQuAD's own JSON"):
        load("squad_v2")


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who wrote it?", "who"),
        ("In which year did it end?", "which"),
        ("How many moons are there?", "how_many"),
        ("How does it work?", "how"),
        ("To whom was it given?", "who"),
        ("Name the river.", "other"),
    ],
)
def test_question_types(question, kind):
    assert question_type(question) == kind


def test_a_registered_source_is_loaded_and_named_where_names_are_told(monkeypatch, capsys):
    """A row of the table is all that a new data set needs: help and errors read its name there."""
    rows = [Pair("a", "Why?", "Because."), None]
    monkeypatch.setitem(SOURCES, "riddles", Source(lambda: iter(rows), "riddles (of this test)"))
    dataset = load_pairs(DataConfig("riddles"))
    assert str(dataset) == "1 of 1 pairs from riddles (of this test); left out: 1 unanswerable"
    with pytest.raises(InputError, match="expected pairs, long, training, squad_v2, arithmetic, riddles, or a file"):
        load_pairs(DataConfig("ridles"))
    with pytest.raises(SystemExit):
        parse(["--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "known names: pairs, long, training, squad_v2, arithmetic, riddles" in told


GOOD = {"question": "What?", "answer": "that"}


def test_what_exporters_write_is_accepted(tmp_path):
    """A byte order mark, ids that are numbers, optional fields that are null."""
    path = tmp_path / "p.jsonl"
    row = {**GOOD, "id": 7, "context": None, "topic": None, "question_type": None, "question_paraphrases": None}
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(row).encode() + b"\r\n")
    (pair,) = load(path).pairs
    assert (pair.id, pair.context, pair.topic, pair.question_paraphrases) == ("7", "", "", ())


def test_squad_exports_without_title_context_or_id(tmp_path):
    qas = [{"question": f"Which {i}?", "answers": [{"text": "one"}]} for i in range(2)]
    qas[1]["id"] = 12
    path = tmp_path / "s.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"data": [{"paragraphs": [{"qas": qas}]}]}).encode())
    assert sorted((pair.id, pair.topic, pair.context) for pair in load(path).pairs) == [
        ("1.1.1", "", ""),
        ("12", "", ""),
    ]


@pytest.mark.parametrize(
    "blank", ["", " ", "\u200b", "\0", "\ufeff", "\u2060 \t", "\x06", "\u3164", "\u2800", "\u0301"]
)
def test_what_cannot_be_seen_is_empty(tmp_path, blank):
    rows = [GOOD, {**GOOD, "answer": blank}, {**GOOD, "question": blank}]
    assert load(write(tmp_path / "p.jsonl", *rows)).left_out["empty"] == 2
    qas = [{"question": question, "answers": [{"text": "one"}]} for question in ("Which?", blank)]
    assert load(write(tmp_path / "s.json", {"data": [{"paragraphs": [{"qas": qas}]}]})).left_out["empty"] == 1


def test_pairs_that_differ_in_case_are_two(tmp_path):
    rows = [GOOD, {"question": "WHAT?", "answer": "that"}, GOOD]
    data = load(write(tmp_path / "p.jsonl", *rows))
    assert len(data.pairs) == 2 and data.left_out["duplicate"] == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{"question": "What?", "answer": "\\ud83d"}', "holds .*ud83d', half of a character"),
        ("[" * 100_000, "nested too deeply"),
        ('{"question": "What?", "answer": ' + "[" * 100_000, "nested too deeply"),
        ('{"question": "What?", "answer": "a", "id": ' + "9" * 5000 + "}", "a number that is too long"),
        ({**GOOD, "id": True}, "'id' is True"),
        ({**GOOD, "id": "\u200b"}, "field 'id' is empty"),
        ({**GOOD, "id": 1.5}, "'id' is 1.5"),
        ({**GOOD, "id": ["a"]}, r"'id' is \['a'\]"),
        ({**GOOD, "answer": None}, "'answer' is None"),
        ({**GOOD, "context": 3}, "'context' is 3"),
        ({**GOOD, "question_paraphrases": [1]}, "'question_paraphrases' is 1"),
        ({**GOOD, "question_paraphrases": 0}, "'question_paraphrases' is 0"),
        ('{"question": "What?", "answer": "a", "id": NaN}', "NaN, which is no number"),
        ({**GOOD, "answer": ["x" * 10**6]}, "'answer' is"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_makes_no_sense_is_told_in_one_short_line(tmp_path, row, told):
    with pytest.raises(InputError, match=f"line 2.*{told}") as caught:
        load(write(tmp_path / "p.jsonl", {**GOOD, "id": "one"}, row))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda article: article.update(title={"a": 1}), "question 1: field 'topic' is {'a': 1}"),
        (lambda article: article["paragraphs"][0]["qas"][0].update(id=["q"]), "question 1: field 'id' is"),
        (lambda article: article["paragraphs"][0]["qas"][0].update(id=False), "question 1: field 'id' is False"),
        (lambda article: article["paragraphs"][0]["qas"][0].pop("question"), "field 'question' is missing"),
        (lambda article: article["paragraphs"][0]["qas"][0].update(answers=["a"]), "no list of objects 'answers'"),
        (lambda article: article["paragraphs"][0]["qas"][0].update(answers=[{}]), "field 'answer' is None"),
        (lambda article: article.update(paragraphs={}), " has no list of objects 'paragraphs'"),
    ],
)
def test_every_field_of_a_squad_file_is_checked_with_its_place(tmp_path, change, told):
    content = squad([[{"text": "one"}]])
    change(content["data"][0])
    with pytest.raises(InputError, match=r"s\.json, article 1.*" + re.escape(told)) as caught:
        load(write(tmp_path / "s.json", content))
    assert "\n" not in str(caught.value)


def test_blank_paraphrases_are_none(tmp_path):
    row = {**GOOD, "answer_paraphrases": ["it", "", "\u200b"]}
    assert load(write(tmp_path / "p.jsonl", row)).pairs[0].answer_paraphrases == ("it",)


def test_a_question_that_is_said_to_be_impossible_is_unanswerable(tmp_path):
    content = squad([[{"text": "one"}], [{"text": "two"}]])
    content["data"][0]["paragraphs"][0]["qas"][0]["is_impossible"] = True
    assert load(write(tmp_path / "s.json", content)).left_out["unanswerable"] == 1
