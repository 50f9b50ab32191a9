"""Contents predicted by networks: one that learns from targets, one that learns through the Generator, a flow."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from threading import Event

import torch

from dcm_helpers.config import DiffuserConfig, NetworkConfig, Reads
from dcm_helpers.diffuser import (
    USUAL,
    Example,
    Kept,
    Scale,
    Training,
    apart,
    contents_of,
    keep_settings,
    load_diffuser,
    settings_of,
    train,
    usual_of,
)
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents

CHOSEN_ON = 0.15
"""Share of the topics that are learned from on which the best step is chosen: what is judged chooses nothing."""
JUDGED = 32
"""Of their examples so many are used."""
SETTINGS: dict[str, dict] = {
    "network": {"kind": "direct", "targets": 1.0, "entropy": 0.0},
    "end to end": {"kind": "direct", "targets": 0.0, "entropy": 1.0},
    "flow": {"kind": "flow", "targets": 1.0, "entropy": 0.0},
}
"""By predictor: from targets alone; from what the Generator writes alone, which is what targets must be worth; and from
noise. All have one network and see as many examples."""


def network_predicted(
    name: str,
    folder: Path,
    generator: Generator,
    learned: Sequence[Example],
    topics: Sequence[Hashable],
    asked: Sequence[Example],
    reads: Reads,
    network: NetworkConfig,
    steps: int,
    stop: Event,
) -> Contents | None:
    """What a network makes of conditions; it is trained in a folder first, as far as it is not yet.

    Args:     learned  with contents;  topics  of each of them;  asked  no content of these is looked at
    Returns:  None once ``stop`` is set
    Raises:   InputError if there is no such predictor
    """
    require(name in SETTINGS, f"there is no predictor {name!r}; expected one of {', '.join(SETTINGS)}")
    batch = min(16, len(learned))
    config = DiffuserConfig(network=network, reads=reads, steps=steps, batch=batch, heard=batch, **SETTINGS[name])
    mine, chosen_on = apart(topics, CHOSEN_ON, config.seed)
    examples = [learned[place] for place in mine]
    scale = Scale.of(contents_of(examples))
    learned_from = {"examples": len(examples), "asked": sorted(each.problem.id for each in asked)[:1]}
    keep_settings(folder, settings_of(generator, config, scale, learned_from))
    usual = usual_of([each.condition for each in examples[:USUAL]])
    training = Training(generator, config, scale, usual)
    judges = [learned[place] for place in chosen_on[:JUDGED]]
    train(folder, training, Kept(examples, config.seed), judges, stop)
    if stop.is_set():
        return None
    return load_diffuser(folder, generator).sample(asked).to(torch.float32)
