"""Figures of a Diffuser show what they are given."""

import numpy as np

from dcm_helpers.show import attention_by_step, training_curves


def test_curves_are_of_what_was_measured():
    measures = [{"step": step, "nats": 3 / step, "chosen_on": {"nats": 4 / step}} for step in (1, 2, 3)]
    figure = training_curves(measures, "training")
    assert [trace.name for trace in figure.data] == [
        "nats a token, learned from",
        "nats a token, what the best step is chosen on",
    ]
    assert list(figure.data[1].y) == [4, 2, 4 / 3] and list(figure.data[0].x) == [1, 2, 3]


def test_a_slider_goes_through_the_steps():
    shares = np.random.default_rng(0).dirichlet(np.ones(3), size=(4, 2))
    figure = attention_by_step(shares, ["Who", "<b>", "Who"], "attention")
    assert [trace.visible for trace in figure.data] == [False, False, False, True]
    assert np.array_equal(figure.data[1].z, shares[1])
    assert len(set(figure.data[0].x)) == 3, "tokens that are alike share a column"
    assert "<b>" not in str(figure.layout.xaxis.ticktext)
    (slider,) = figure.layout.sliders
    assert [step.args[0]["visible"].index(True) for step in slider.steps] == [0, 1, 2, 3]
    assert not attention_by_step(shares[:1], ["a", "b", "c"], "one step").layout.sliders
