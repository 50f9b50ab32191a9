"""Contents predicted by networks: one that learns from targets, one that learns through the Generator, a flow."""

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Literal

import torch

from dcm_helpers.config import DiffuserConfig
from dcm_helpers.diffuser import (
    CHOSEN_ON,
    USUAL,
    Example,
    Listed,
    Scale,
    Training,
    apart,
    contents_of,
    keep_settings,
    load_diffuser,
    scale_without,
    settings_of,
    train,
    usual_of,
)
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents

JUDGED = 32
"""Of the examples that the best step is chosen on so many are used: what is judged chooses nothing."""
SAMPLES = 8
"""Samples whose mean is taken where it is asked for: one sample of a flow is farther from what is right than that."""


@dataclass(frozen=True)
class Trained:
    """A predictor that is trained in a folder."""

    what: str
    """What is trained: predictors of one name share it."""
    kind: Literal["flow", "direct"] = "direct"
    targets: bool = True
    """Whether it learns from targets, or from what the Generator writes, and then from no family's contents at all."""
    samples: int = 1
    """How many contents are averaged."""


NETWORKS = {
    "network": Trained("network"),
    "end to end": Trained("end to end", targets=False),
    "flow": Trained("flow", "flow"),
    "flow, mean": Trained("flow", "flow", samples=SAMPLES),
}
"""By predictor: from targets; through the Generator, which is what targets must be worth; from noise to targets. All
have one network and see as many examples; a step through the Generator costs many times one from targets."""


def network_predicted(
    name: str,
    folder: Path,
    generator: Generator,
    learned: Sequence[Example],
    topics: Sequence[Hashable],
    asked: Sequence[Example],
    config: DiffuserConfig,
    start: str,
    stop: Event,
) -> Contents | None:
    """What a network makes of conditions; it is trained in a folder first, as far as it is not yet.

    Args:     learned  with contents;  topics  of each of them;  asked  no content of these is looked at;  config  its
              network, condition and steps;  start  where contents begin that are learned without targets
    Returns:  None once ``stop`` is set
    Raises:   InputError if there is no such predictor
    """
    require(name in NETWORKS, f"there is no predictor {name!r}; expected one of {', '.join(NETWORKS)}")
    trained, batch = NETWORKS[name], min(16, len(learned))
    weights = {"targets": float(trained.targets), "entropy": float(not trained.targets)}
    config = replace(config, kind=trained.kind, batch=batch, heard=batch, **weights)
    mine, chosen_on = apart(topics, CHOSEN_ON, config.seed)
    examples = [learned[place] for place in mine]
    contents = contents_of(examples)
    scale = Scale.of(contents) if trained.targets else scale_without(generator, start, contents.shape[1])
    names = sorted(each.problem.id for each in examples)
    learned_from = {"examples": len(names), "hash": hashlib.sha256(repr(names).encode()).hexdigest()[:16]}
    keep_settings(folder, settings_of(generator, config, scale, learned_from))
    usual = usual_of([each.condition for each in examples[:USUAL]])
    training = Training(generator, config, scale, usual)
    judges = [learned[place] for place in chosen_on[:JUDGED]]
    train(folder, training, Listed(examples, config.seed), judges, stop)
    if stop.is_set():
        return None
    diffuser = load_diffuser(folder, generator)
    samples = [diffuser.sample(asked, seed=seed) for seed in range(trained.samples)]
    return torch.stack(samples).mean(0).to(torch.float32)
