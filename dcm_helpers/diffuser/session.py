"""Training in a folder: begun or continued, measured on what is held out, kept as it goes."""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from dcm_helpers.diffuser.examples import Example, Examples
from dcm_helpers.diffuser.kept import keep_best, keep_state, restore_state
from dcm_helpers.diffuser.training import Training, held_out
from dcm_helpers.watch import ProgressLine

MEASURES = 50
"""How often a training is measured on what is held out."""


def train(
    folder: Path,
    training: Training,
    examples: Examples,
    held: Sequence[Example],
    stop: Event | None = None,
    keep_every: float = 60.0,
) -> list[dict]:
    """Train until all steps are done or ``stop`` is set, from where the folder's training was.

    Every so many steps the averaged weights are measured on ``held``, and kept beside the folder's state if they are
    the best so far.

    Args:     keep_every  seconds after which its state is kept: what is lost when it is killed
    Returns:  the measures: ``step``, ``seconds`` of this session, means of the losses since the measure before, and
              how well it did on what is held out
    Raises:   InputError if what the folder has cannot be read
    """
    measures, best = restore_state(folder, training)
    every, began, kept, since = max(1, training.config.steps // MEASURES), time.monotonic(), time.monotonic(), []
    with ProgressLine("Training", training.config.steps, training.step) as line:
        while training.step < training.config.steps and not (stop is not None and stop.is_set()):
            since.append(training.update(examples.of_step(training.step, training.config.batch)))
            line.update()
            if training.step % every == 0 or training.step == training.config.steps:
                means = {name: sum(each[name] for each in since) / len(since) for name in since[0]}
                told = held_out(training.generator, training.diffuser, held)
                seconds = round(time.monotonic() - began, 1)
                measures.append({"step": training.step, "seconds": seconds, **means, "held_out": told})
                line.set_postfix_str(f", held out {told['nats']:.3f} nats a token", refresh=False)
                since = []
                if best is None or told["nats"] < best["nats"]:
                    best = {"step": training.step, **told}
                    keep_best(folder, training.diffuser)
            if time.monotonic() - kept >= keep_every:
                keep_state(folder, training, measures, best)
                kept = time.monotonic()
    keep_state(folder, training, measures, best)
    return measures
