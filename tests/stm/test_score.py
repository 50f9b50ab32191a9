"""The one shift, judged by the tokens themselves and by plain forward passes."""

import pytest
import torch
from judges import plain_nll

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.generator import load_generator, token_rows
from dcm_helpers.stm import Row, View, groups_by_length, lay_out, score_rows, scored, target_logits


def test_text_alone_has_the_loss_of_its_tokens(tiny):
    """A row without content is plain text: its losses are those of next-token prediction on its token ids."""
    head, target = tiny.text_ids("What is the capital of France?"), tiny.target_ids("Paris")
    (scores,) = score_rows(tiny, [Row(head, None, (), target)], None, K=0)
    log_p = tiny.model(input_ids=torch.tensor([[*head, *target]])).logits[0].log_softmax(-1)
    expected = [-log_p[len(head) + t - 1, token].item() for t, token in enumerate(target)]
    assert scores["loss"] == pytest.approx(sum(expected) / len(expected), rel=1e-5)
    assert scores["loss_text"] == pytest.approx(sum(expected[:-1]) / (len(expected) - 1), rel=1e-5)
    for shift in (-1, 1):  # a shift in either direction is far away
        wrong = [-log_p[len(head) + t - 1 + shift, token].item() for t, token in enumerate(target)][:-1]
        assert abs(sum(wrong) / len(wrong) - scores["loss_text"]) > 0.1


def test_scores_of_mixed_rows(tiny64):
    """Rows with and without content, of different lengths, scored together and judged one by one."""
    contents = token_rows(tiny64, 12, torch.Generator().manual_seed(0)).view(2, 6, -1)
    views = [View.of(tiny64, "carbon", "A"), View.of(tiny64, "Why is the sky blue?", "Q", given="Hm: ")]
    rows = [Row.of(tiny64, view, slot) for slot, view in enumerate(views)]
    layout = lay_out(tiny64, rows, 6)
    scores = scored(target_logits(tiny64, layout, contents), layout)
    for index, view in enumerate(views):
        nll = plain_nll(tiny64, view, contents[index])
        assert scores.loss[index].item() == pytest.approx(nll.mean().item(), abs=1e-9)
        assert scores.loss_text[index].item() == pytest.approx(nll[:-1].mean().item(), abs=1e-9)
        assert scores.p_eos[index].item() == pytest.approx((-nll[-1]).exp().item(), abs=1e-9)
        assert scores.min_p[index].item() == pytest.approx((-nll.max()).exp().item(), abs=1e-9)


@pytest.mark.parametrize("length", [31, 32, 33, 63, 64, 65, 97])
@pytest.mark.parametrize(("device", "dtype"), [("cpu", "float32"), ("cpu", "bfloat16"), ("cuda", "bfloat16")])
def test_gradient_through_a_padded_row(device, dtype, length):
    """A row beside a longer one has the gradient that it has alone; attention on GPUs gave none at some lengths."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    generator = load_generator(GeneratorConfig("tiny", device, dtype))
    ids = generator.text_ids("The largest planet in the solar system is Jupiter. " * 20)
    short = Row(ids[:1], 0, (), ids[:5])
    longer = Row(ids[: length - 8 - 4], 0, (), ids[:5])
    content = token_rows(generator, 8, torch.Generator().manual_seed(0))[None].to(generator.content_dtype)

    def gradient(rows):
        layout, read = lay_out(generator, rows, 8), content.clone().requires_grad_()
        loss = scored(target_logits(generator, layout, read), layout).loss[0]
        return layout.attention_mask.shape[1], torch.autograd.grad(loss, read)[0]

    (_, alone), (positions, beside) = gradient([short]), gradient([short, longer])
    assert positions == length
    assert (beside - alone).norm() < (1e-4 if dtype == "float32" else 0.1) * alone.norm()


def test_exact_means_every_argmax_right(tiny):
    view = View.of(tiny, "carbon", "A")
    layout = lay_out(tiny, [Row.of(tiny, view, 0)], 4)
    logits = torch.nn.functional.one_hot(layout.target_ids[0], 512).float()
    assert scored(logits, layout).teacher_forced_exact.all()
    for position in range(len(view.target_ids)):  # EOS included
        wrong = logits.clone()
        wrong[position] = wrong[position].roll(1)
        assert not scored(wrong, layout).teacher_forced_exact.any()


def test_groups_hold_every_row_once_and_respect_the_bound():
    rows = [Row((1,) * (index % 7), 0, (), (1,) * (1 + index % 13)) for index in range(50)]
    groups = groups_by_length(rows, K=4, most=100)
    assert sorted(index for group in groups for index in group) == list(range(50))
    for group in groups:
        longest = max(rows[i].prefix_length(4) for i in group) + max(len(rows[i].target_ids) for i in group) - 1
        assert len(group) == 1 or len(group) * longest <= 100


def test_groups_waste_little():
    """Two lengths far apart are kept apart; many rows of one length fill their groups."""
    rows = [Row((), None, (), (1,) * length) for length in (40, 5, 40, 5, 5)]
    assert groups_by_length(rows, K=0, most=100) == [[1, 3, 4], [0, 2]]
    assert [len(group) for group in groups_by_length([rows[0]] * 6, K=0, most=80)] == [2, 2, 2]
