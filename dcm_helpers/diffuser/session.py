"""Training in a folder: begun or continued, measured on examples that it does not learn from, kept as it goes."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event

import torch
from safetensors.torch import save

from dcm_helpers.diffuser.examples import Example, Examples
from dcm_helpers.diffuser.kept import PROGRESS, keep_best, on_cpu, tensors_of
from dcm_helpers.diffuser.training import Training, writing_of
from dcm_helpers.errors import InputError
from dcm_helpers.files import is_there, json_line, parsed_json, read_text, write_safely
from dcm_helpers.watch import ProgressLine

STATE, LOG = "training.safetensors", "log.jsonl"
MOMENTS = ("exp_avg", "exp_avg_sq")
MEASURES = 50
"""How often a training is measured."""


def train(
    folder: Path,
    training: Training,
    examples: Examples,
    chosen_on: Sequence[Example],
    stop: Event | None = None,
    keep_every: float = 60.0,
) -> dict | None:
    """Train until all steps are done or ``stop`` is set, from where the folder's training was.

    Every so many steps the averaged weights are measured on ``chosen_on``, and kept beside the folder's state if they
    are the best so far. A measure, as :func:`measures_of` returns it, has ``step``, ``seconds`` of its session, the
    means of the losses since the measure before, and ``chosen_on``, see :func:`writing_of`.

    Args:     keep_every  seconds after which its state is kept: what is lost when it is killed
    Returns:  the best measure on ``chosen_on``, with its ``step``; None where nothing was measured yet
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
                told = writing_of(training.generator, training.diffuser, chosen_on)
                seconds = round(time.monotonic() - began, 1)
                measures.append({"step": training.step, "seconds": seconds, **means, "chosen_on": told})
                line.set_postfix_str(f", unseen {told['nats']:.3f} nats a token", refresh=False)
                since = []
                if best is None or told["nats"] < best["nats"]:
                    best = {"step": training.step, **told}
                    keep_best(folder, training.diffuser)
            if time.monotonic() - kept >= keep_every:
                keep_state(folder, training, measures, best)
                kept = time.monotonic()
    keep_state(folder, training, measures, best)
    return best


def keep_state(folder: Path, training: Training, measures: list[dict], best: Mapping | None) -> None:
    """Put all that training needs to go on into one file, which is the old one or the new one whatever happens."""
    tensors = {}
    for prefix, network in (("weights", training.network), ("average", training.average)):
        tensors |= {f"{prefix}.{name}": value for name, value in network.state_dict().items()}
    for name, parameter in training.network.named_parameters():
        state = training.adam.state.get(parameter, {})
        tensors |= {f"{moment}.{name}": state[moment] for moment in MOMENTS if moment in state}
    # first the measures: those ahead of the state are dropped and made again, and those behind it would be lost
    write_safely(folder / LOG, b"".join(map(json_line, measures)))
    progress = {"step": training.step, "best": best}
    write_safely(folder / STATE, save(on_cpu(tensors), {PROGRESS: json.dumps(progress)}))


def restore_state(folder: Path, training: Training) -> tuple[list[dict], dict | None]:
    """Let training go on from where it was kept; from the beginning where nothing was.

    Returns:  the measures so far, and the best of them
    Raises:   InputError if what was kept cannot be read
    """
    path = folder / STATE
    if not is_there(path):
        return [], None
    progress, tensors = tensors_of(path)
    device = training.generator.device
    try:
        for prefix, network in (("weights", training.network), ("average", training.average)):
            network.load_state_dict({name: tensors[f"{prefix}.{name}"].to(device) for name in network.state_dict()})
        training.step = progress["step"]
        for name, parameter in training.network.named_parameters():
            if f"{MOMENTS[0]}.{name}" in tensors:
                moments = {moment: tensors[f"{moment}.{name}"].to(device) for moment in MOMENTS}
                training.adam.state[parameter] = {"step": torch.tensor(float(training.step)), **moments}
    except (LookupError, RuntimeError) as error:
        raise InputError(f"{path} is damaged ({error}); delete it, and training begins anew") from error
    return [each for each in measures_of(folder) if each["step"] <= training.step], progress["best"]


def measures_of(folder: Path) -> list[dict]:
    """How a training went, measure by measure; none where nothing was measured.

    Raises:   InputError if the file is damaged
    """
    lines = read_text(folder / LOG).splitlines() if is_there(folder / LOG) else []
    return [parsed_json(line, str(folder / LOG), "delete it") for line in lines]
