"""What a configuration names, loaded and checked, and its run folder, opened."""

import glob
import hashlib
import json
import platform
import re
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from dcm_helpers.config import DRAWN, LEARNED, RunConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.fetched import PACKAGED
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.learned import require_task
from dcm_helpers.optimize import MakeSolver, asks_oracle, compares_problems
from dcm_helpers.pairs import SOURCES, load_pairs
from dcm_helpers.runs.places import settled
from dcm_helpers.runs.stages import Phase1a
from dcm_helpers.stm import joint_problems, mode_ids, start_hash, why_too_long, with_oracle
from dcm_helpers.store import MANIFEST, RunFolder, differing
from dcm_helpers.watch import Spent


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
    began = time.perf_counter()
    loaded = load_pairs(config.data)
    settings = {**settings_of(config), "data_fingerprint": loaded.fingerprint()}
    if generator is None:
        generator = load_generator(replace(config.generator, dtype=precision_to_go_on_in(config, settings)))
    dataset = loaded.writable(generator)
    problems = joint_problems(generator, dataset.pairs, config.modes)
    too_long = {each.pair: why_too_long(generator, each, config.optimizer.K) for each in problems}
    dataset = dataset.without(too_long, generator.name)
    if config.task_steps:
        require_task(generator, dataset.pairs, config.optimizer.K)
    alone = "the term 'relations' compares problems, and this run has one pair; use more pairs, or leave it out"
    require(len(dataset.pairs) > 1 or not compares_problems(config.optimizer), alone)
    if asks_oracle(config.optimizer):
        for pair, problem in zip(dataset.pairs, joint_problems(generator, dataset.pairs, config.modes), strict=True):
            with_oracle(generator, problem, pair)
    fingerprint = generator.fingerprint()
    settings["generator"]["dtype"] = generator.precision  # what 'auto' came to
    identity = {**settings, "generator_fingerprint": fingerprint}
    manifest = {
        "generator": {
            "name": generator.name,
            "fingerprint": fingerprint,
            "dtype": generator.precision,
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
    spent = Spent(loading=time.perf_counter() - began)
    return Phase1a(generator, dataset, config, folder, make_solver, again=set(again), spent=spent)


def settings_of(config: RunConfig) -> dict:
    """The settings that decide results, with one name for one file."""
    settings = config.identity()
    settings["generator"]["model"] = settled(config.generator.model, PACKAGED)
    settings["data"]["dataset"] = settled(config.data.dataset, SOURCES)
    optimizer = config.optimizer
    if optimizer.start not in DRAWN:
        settings["optimizer"]["init"] = settled(optimizer.start, (LEARNED,))
        sizes = sorted({optimizer.K, 1} if config.single_slot and 1 in config.stages else {optimizer.K})
        settings["start_fingerprints"] = [start_hash(config.generator.model, optimizer.start, K) for K in sizes]
    return settings


def precision_to_go_on_in(config: RunConfig, settings: dict) -> str:
    """The precision of the run that a configuration continues, where it leaves it open: a run keeps its own.

    Of several runs that differ in nothing else, the one worked on last is continued.

    Returns:  what the configuration says, 'auto' included, where it does not leave it open or there is no such run
    """
    if config.generator.dtype != "auto":
        return config.generator.dtype
    results = Path(config.output_dir).expanduser()
    names = glob.escape(config.run_name) if config.run_name else f"{glob.escape(readable_name(config, settings))}-*"
    for begun in sorted(results.glob(f"{names}/{MANIFEST}"), key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            manifest = RunFolder.read(begun.parent).manifest
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        precision, stored = manifest["generator"]["dtype"], manifest["identity"]
        mine = {
            **settings,
            "generator": {**settings["generator"], "dtype": precision},
            "generator_fingerprint": stored.get("generator_fingerprint"),  # not known before it is loaded
        }
        if config.run_name or not any(differing(stored, json.loads(json.dumps(mine)))):
            return precision
    return "auto"


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
    return f"{readable_name(config, identity)}-{digest}"


def readable_name(config: RunConfig, settings: dict) -> str:
    """What a person reads of a run in its folder's name."""
    model, dataset = plain(settings["generator"]["model"]), plain(Path(settings["data"]["dataset"]).stem)
    optimizer = config.optimizer
    return (
        f"{model}-{dataset}-n{config.data.num_examples}-K{optimizer.K}-lr{optimizer.lr:g}"
        f"-{optimizer.stop_rule}-seed{optimizer.seed}"
    )


def plain(name: str) -> str:
    """The last part of a name, with nothing in it that other programs choke on."""
    return re.sub(r"[^\w.+-]+", "_", Path(name).name).strip("-._") or "unnamed"
