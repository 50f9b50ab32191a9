"""Problems made of other problems: which texts they hold, and where they start."""

import pytest
import torch

from dcm_helpers.errors import InputError
from dcm_helpers.stm import (
    exchanges,
    initial_content,
    mismatched,
    of_class,
    rephrased,
    restarts_of,
    views_apart,
    with_modes,
    with_random_answer,
)


def test_random_answers_keep_question_length_and_start(tiny, pairs, problems):
    for problem in problems:
        random = with_random_answer(tiny, problem)
        assert random.id == problem.id and random.views[0] == problem.views[0]
        ids, before = random.views[1].target_ids, problem.views[1].target_ids
        assert len(ids) == len(before) and ids[-1] == tiny.eos_id and ids != before
        assert tiny.eos_id not in ids[:-1]
        assert with_random_answer(tiny, problem) == random, "drawn from the id"


def test_classes_hold_out_the_last_phrasings(tiny, pairs):
    pair = pairs[0]
    texts = [view.target_text for view in of_class(tiny, pair).views]
    assert pair.question in texts and pair.answer in texts and pair.question_paraphrases[0] in texts
    assert pair.question_paraphrases[-1] not in texts and pair.answer_paraphrases[-1] not in texts
    weighted = of_class(tiny, pair, own=3.0)
    of_text = {view.target_text: view.weight for view in weighted.views}
    assert of_text[pair.question] == of_text[pair.answer] == 3 and sorted(of_text.values())[:-2] == [1.0] * (
        len(texts) - 2
    )


def test_rephrased_pairs_start_elsewhere_and_share_the_answer(tiny, pairs, problems):
    other = rephrased(tiny, pairs[0])
    assert other.pair == problems[0].pair and other.id != problems[0].id
    assert other.views[1] == problems[0].views[1]
    assert other.views[0].target_text == pairs[0].question_paraphrases[0]


def test_views_apart_serve_one_target_each(problems):
    first, second = views_apart(problems[0])
    assert (first.views, second.views) == ((problems[0].views[0],), (problems[0].views[1],))
    assert len({first.id, second.id, problems[0].id}) == 3


def test_mismatched_problems_hold_the_same_texts(tiny, problems):
    exchanged = mismatched(problems)
    assert [each.views[0] for each in exchanged] == [each.views[0] for each in problems]
    assert all(one.views[1] != other.views[1] for one, other in zip(exchanged, problems, strict=True))
    assert {each.views[1] for each in exchanged} == {each.views[1] for each in problems}
    starts = [initial_content(tiny, each, 4, "tokens", 0, 0) for each in (exchanged[0], problems[0])]
    assert torch.equal(*starts), "equal starts make the comparison paired"
    with pytest.raises(InputError, match="at least 2"):
        mismatched(problems[:1])
    several = exchanges(problems, 3)
    assert len({(each.id, each.views[1].target_ids) for exchange in several for each in exchange}) == 3 * len(problems)
    with pytest.raises(InputError, match=f"do not allow {len(problems)} exchanges"):
        exchanges(problems, len(problems))


def test_modes_and_restarts_of_a_problem(tiny, problems):
    swapped = with_modes(tiny, problems[0], ("A", None))
    assert [view.mode_ids for view in swapped.views] == [(tiny.mode_id("A"),), ()]
    assert [view.target_ids for view in swapped.views] == [view.target_ids for view in problems[0].views]
    again = restarts_of(problems[0], 3)
    assert len({each.id for each in again}) == 3 and all(each.views == problems[0].views for each in again)
