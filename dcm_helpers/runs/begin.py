"""What a configuration names, loaded and checked, and its run folder, opened."""

import hashlib
import json
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

from dcm_helpers.config import RunConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.fetched import PACKAGED
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.learned import require_task
from dcm_helpers.optimize import MakeSolver, asks_oracle
from dcm_helpers.pairs import SOURCES, load_pairs
from dcm_helpers.runs.places import settled
from dcm_helpers.runs.stages import Phase1a
from dcm_helpers.stm import joint_problems, mode_ids, why_too_long, with_oracle
from dcm_helpers.store import MANIFEST, RunFolder


def prepare(
    config: RunConfig, make_solver: MakeSolver, resume: bool = True, generator: Generator | None = None
) -> "Phase1a":
    """Load what a configuration names and open its run folder, ready to :meth:`Phase1a.run`.

    Data and targets are checked before the folder is made, so a mistake in them leaves nothing behind. Use it in a
    ``with`` block, or close its folder, to let other processes write there.

    Args:     make_solver  what finds the contents;  resume  False refuses a run folder that exists;  generator  the
              one that ``config`` names, where it is loaded already
    Raises:   InputError if the Generator, the pairs or the folder cannot be used
    """
    loaded = load_pairs(config.data)
    generator = generator or load_generator(config.generator)
    dataset = loaded.writable(generator)
    problems = joint_problems(generator, dataset.pairs, config.modes)
    too_long = {each.pair: why_too_long(generator, each, config.optimizer.K) for each in problems}
    dataset = dataset.without(too_long, generator.name)
    if config.task_steps:
        require_task(generator, dataset.pairs, config.optimizer.K)
    if asks_oracle(config.optimizer):
        for pair, problem in zip(dataset.pairs, joint_problems(generator, dataset.pairs, config.modes), strict=True):
            with_oracle(generator, problem, pair)
    fingerprint = generator.fingerprint()
    precision = str(generator.dtype).removeprefix("torch.")
    settings = config.identity()
    settings["generator"]["dtype"] = precision  # what 'auto' came to on this machine
    settings["generator"]["model"] = settled(config.generator.model, PACKAGED)
    settings["data"]["dataset"] = settled(config.data.dataset, SOURCES)
    identity = {**settings, "generator_fingerprint": fingerprint, "data_fingerprint": loaded.fingerprint()}
    manifest = {
        "generator": {
            "name": generator.name,
            "fingerprint": fingerprint,
            "dtype": precision,
            "bos_ids": generator.bos_ids,
            "eos_id": generator.eos_id,
            "mode_ids": mode_ids(generator, config.modes),
            "target_text": "raw text, tokenized on its own, then EOS",
            "prompt_format": generator.prompt_format,
        },
        "data": {
            "source": dataset.source,
            "account": str(dataset),
            "pairs": len(dataset.pairs),
            "fingerprint": loaded.fingerprint(),
            "unwritable": list(dataset.unwritable),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("dynamic-context-memory", "torch", "transformers", "tokenizers")},
        },
        "sessions": [],
    }
    path = Path(config.output_dir).expanduser() / (config.run_name or run_name(config, identity))
    require(
        set(config.stages) != {3} or (path / MANIFEST).exists(),
        f"stage 3 decodes what stage 2 stored, and there is no run {path} yet; use --stage 2,3",
    )
    folder = RunFolder.create(path, identity, manifest, resume)
    try:
        again = without_content(folder)
    except BaseException:
        folder.close()
        raise
    if again:
        first = next(iter(again.values()))
        print(f"{len(again)} finished problems have no content any more and are done again: {first}", file=sys.stderr)
    return Phase1a(generator, dataset, config, folder, make_solver, again=set(again))


def without_content(folder: RunFolder) -> dict[str, str]:
    """Finished problems whose contents are gone or damaged, each with what is wrong."""
    found = {}
    for record in (*folder.records(1), *folder.records(2)):
        try:
            folder.content(record)
        except InputError as error:
            found[record["problem"]] = str(error)
    return found


def run_name(config: RunConfig, identity: dict) -> str:
    """A folder name that a person can read and that differs whenever results could."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:6]
    model, dataset = plain(identity["generator"]["model"]), plain(Path(identity["data"]["dataset"]).stem)
    optimizer = config.optimizer
    return (
        f"{model}-{dataset}-n{config.data.num_examples}-K{optimizer.K}-lr{optimizer.lr:g}"
        f"-{optimizer.stop_rule}-seed{optimizer.seed}-{digest}"
    )


def plain(name: str) -> str:
    """The last part of a name, with nothing in it that other programs choke on."""
    return re.sub(r"[^\w.+-]+", "_", Path(name).name).strip("-._") or "unnamed"
