"""Phase 1a's stages on one run folder: single targets, joint pairs, and greedy validation."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from types import MappingProxyType

import torch

from dcm_helpers.config import OptimizerConfig, RunConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.generator import Generator, says_the_same, sentence_embeddings
from dcm_helpers.learned import Diverged, task_losses
from dcm_helpers.optimize import MakeSolver, Result, asks_oracle, compares_problems, compile_where_it_pays
from dcm_helpers.pairs import Dataset
from dcm_helpers.runs.baselines import TASK, computed_together, kept_task_losses, view_baselines
from dcm_helpers.runs.diagnosis import diagnosis
from dcm_helpers.runs.records import result_record, validation_record, with_baselines
from dcm_helpers.runs.verdicts import STAGE2_EARLY_PAIRS, STAGE2_WEAK, summarize, summarize_stage1, too_few_converged
from dcm_helpers.stm import Problem, decode_problems, joint_problems, single_problems, with_meanings, with_oracle
from dcm_helpers.store import MANIFEST, SUMMARY, Loss, RunFolder
from dcm_helpers.watch import Spent, follow

DECODED_TOGETHER = 32


@dataclass
class Phase1a:
    """One run: a Generator, its pairs, a configuration, and the folder that results go to."""

    generator: Generator
    dataset: Dataset
    config: RunConfig
    folder: RunFolder
    make_solver: MakeSolver
    """What finds the contents of a stage."""
    stop: Event = field(default_factory=Event)
    """Set it (from a signal handler or a button) to end after the current step with everything finished stored."""
    again: set[str] = field(default_factory=set)
    """Problems that have a record and are done once more: their contents are gone."""
    words_alone: bool = False
    """Set once the encoder that stage 3 judges by could not be had: it is not asked for again."""
    spent: Spent = field(default_factory=Spent)
    """Seconds of this session."""

    def run(self) -> dict:
        """Run the configured stages in order, each only if the one before passed its gate, and summarize.

        Returns:  the summary, also written to ``summary.json``; ``finished`` is False after a stop
        """
        stages: dict[int, Callable[[], bool]] = {1: self.stage1, 2: self.stage2, 3: self.stage3}
        halted = None
        with self.session():
            for number in self.config.stages:
                passed = stages[number]()
                if self.stop.is_set():
                    break
                if not passed and not self.config.ignore_gates:
                    halted = number
                    break
            return self.summarize(finished=not self.stop.is_set(), halted_after=halted)

    def __enter__(self) -> "Phase1a":
        return self

    def __exit__(self, *_) -> None:
        self.folder.close()

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        """Add what happens in a ``with`` block to the manifest as one session: when, how long, on what."""
        started, before = datetime.now(UTC), time.monotonic()  # a clock can be set back, this one never goes back
        try:
            yield
        finally:
            session = {
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - before, 1),
                "spent": {what: round(seconds, 1) for what, seconds in self.spent.items()},
                "stages": self.config.stages,
                "ignore_gates": self.config.ignore_gates,
                "num_validate": self.config.num_validate,
                "devices": self.generator.device_names,
                "threads": torch.get_num_threads(),
                "attention": self.generator.attention,
                "positions_at_once": self.generator.positions_at_once,
                "batch_size": self.config.optimizer.batch_size,
                "distributed": self.config.distributed,
            }
            manifest = self.folder.manifest
            self.folder.write_json(MANIFEST, {**manifest, "sessions": [*manifest["sessions"], session]})

    def stage1(self) -> bool:
        """Optimize each question alone and each answer alone, without a mode. Returns whether the gate passed."""
        config = dataclasses.replace(self.config.optimizer, K=1) if self.config.single_slot else self.config.optimizer
        problems = single_problems(self.generator, self.dataset.pairs)
        self.optimize(1, problems, config)
        if self.stop.is_set():
            return False
        passed = summarize_stage1(self.folder.records(1), len(problems))["gate_passed"]
        if not passed:
            self.diagnose(1, problems, config)
        return passed

    def optimize(self, stage: int, problems: Sequence[Problem], config: OptimizerConfig) -> None:
        """Optimize and store the problems that have no record yet, without baselines."""
        for result in self.solve(stage, problems, config):
            self.store(result_record(self.generator, result, stage, config), result)

    def stage2(self) -> bool:
        """Optimize each pair's question and answer from one content. Returns False after an early stop."""
        config, pairs = self.config.optimizer, {pair.id: pair for pair in self.dataset.pairs}
        problems = joint_problems(self.generator, self.dataset.pairs, self.config.modes)
        first = [problem.id for problem in problems[:STAGE2_EARLY_PAIRS]]
        converged = {record["problem"]: bool(record["converged"]) for record in self.folder.records(2)}
        hopeless = too_few_converged(first, converged) and not self.config.ignore_gates
        task = self.task_losses()
        if self.stop.is_set():
            return False

        def computed(some: Sequence[Problem]) -> list[list[dict[str, Loss | None]]]:
            known = [pairs[problem.pair] for problem in some]
            return view_baselines(self.generator, some, known, config.K, config.seed, task)

        baselines_of = computed_together(problems, computed)
        with contextlib.closing(self.solve(2, problems, config)) as results:
            while not hopeless and (result := next(results, None)) is not None:
                with self.spent.on("baselines"):
                    baselines = baselines_of(result.problem)
                record = with_baselines(result_record(self.generator, result, 2, config), baselines)
                self.store(record, result)
                converged[record["problem"]] = record["converged"]
                hopeless = too_few_converged(first, converged) and not self.config.ignore_gates
        if self.stop.is_set():
            return False
        if hopeless or sum(converged.values()) / len(converged) < STAGE2_WEAK:
            self.diagnose(2, problems, config)
        return not hopeless

    def task_losses(self) -> dict[str, Loss]:
        """What answers cost after a task-level prompt found for other pairs, by pair; none where there is none."""
        if not self.config.task_steps:
            return {}
        if not (known := kept_task_losses(self.folder, self.dataset.pairs)):
            settings = dataclasses.replace(self.config.optimizer, num_steps=self.config.task_steps)
            print("Stage 2: finding a task-level prompt to compare with", file=sys.stderr)
            try:
                with self.spent.on("task-level prompt"):
                    known = task_losses(self.generator, self.dataset.pairs, settings, self.stop)
            except Diverged as error:  # a baseline less is no reason to lose the run
                print(f"Stage 2: goes on without it: {error}; a lower --lr may do", file=sys.stderr)
            if known:
                self.folder.write_json(TASK, known)
        return known

    def stage3(self) -> bool:
        """Decode converged pairs greedily from their stored contents. Returns True: it gates nothing."""
        joint = joint_problems(self.generator, self.dataset.pairs, self.config.modes)
        problems = {problem.id: (problem, pair) for problem, pair in zip(joint, self.dataset.pairs, strict=True)}
        stage2 = self.folder.records(2)
        require(bool(stage2), "stage 3 decodes what stage 2 stored, and this run has nothing of it; use --stage 2,3")
        records = {record["problem"]: record for record in stage2 if record["converged"]}
        chosen = [problem for problem in problems if problem in records][: self.config.num_validate]
        if not chosen:  # the summary says so
            return True
        done = {record["problem"]: record["content"] for record in self.folder.records(3)}
        todo = [problem for problem in chosen if done.get(problem) != records[problem]["content"]]
        known = {record["problem"]: record["outcome"] == "pass" for record in self.folder.records(3)}
        known = {name: known[name] for name in chosen if name not in todo}
        with follow("Stage 3, decoding", chosen, known) as watched:
            for start in range(0, len(todo), DECODED_TOGETHER):
                if self.stop.is_set():
                    break
                together = todo[start : start + DECODED_TOGETHER]
                with self.spent.on("decoding"):
                    decoded = self.decode(
                        [problems[name][0] for name in together], [records[name] for name in together]
                    )
                for name, texts in zip(together, decoded, strict=True):
                    record = validation_record(self.generator, *problems[name], texts, self.alike)
                    self.folder.append(3, {**record, "content": records[name]["content"]})
                    watched.finished(name, record["outcome"] == "pass")
        return True

    def alike(self, written: str, wanted: Sequence[str]) -> bool:
        """Whether a text says the same as one of others; without the encoder, which is fetched, words alone decide."""
        if self.words_alone:
            return False
        try:
            return says_the_same(written, wanted)
        except InputError as error:
            print(f"{error}\nUntil then texts are judged by their words alone.", file=sys.stderr)
            self.words_alone = True
            return False

    def solve(self, stage: int, problems: Sequence[Problem], config: OptimizerConfig) -> Iterator[Result]:
        """Optimize the problems of a stage that have no record yet, or none with a content."""
        known = {record["problem"]: record["reconstructed"] for record in self.folder.records(stage)}
        strange = sorted(known.keys() - {problem.id for problem in problems})
        require(
            not strange,
            f"{self.folder.path} has a result of stage {stage} for {strange[:1]}, which is no problem of this run; "
            f"delete its line in stage{stage}.jsonl",
        )
        title = f"Stage {stage}, {'single targets' if stage == 1 else 'joint pairs'}"
        left = {problem: ended for problem, ended in known.items() if problem not in self.again}
        yield from self.watched(title, problems, config, left)

    def watched(
        self,
        title: str,
        problems: Sequence[Problem],
        config: OptimizerConfig,
        known: Mapping[str, bool] = MappingProxyType({}),
    ) -> Iterator[Result]:
        """Optimize problems, shown as they go.

        Args:     known  of those that have ended before: whether they were reconstructed; they are left alone
        """
        waiting = [problem for problem in problems if problem.id not in known]
        if waiting and compares_problems(config):
            waiting = with_meanings(waiting, sentence_embeddings)
        if waiting and asks_oracle(config):
            pairs = {pair.id: pair for pair in self.dataset.pairs}
            waiting = [with_oracle(self.generator, problem, pairs[problem.pair]) for problem in waiting]
        if waiting and self.config.generator.compile == "auto" and self.config.distributed is None:
            with self.spent.on("compiling"):
                compile_where_it_pays(self.generator, waiting, config)
        with follow(title, [problem.id for problem in problems], known) as shown:
            solver = self.make_solver(self.generator, config)
            try:
                for result in self.spent.waiting("optimizing", solver.iterate(waiting, shown.show, self.stop)):
                    shown.finished(result.problem.id, result.reconstructed, result)
                    yield result
            finally:
                for problem, reason in solver.set_aside.items():
                    self.folder.note_failure(problem, reason)

    def store(self, record: dict, result: Result) -> None:
        """Put one finished problem on disk."""
        steps, losses = zip(*result.history, strict=True)
        with self.spent.on("storing"):
            self.folder.append(record["stage"], record, result.content, {"steps": steps, "losses": losses})
        self.again.discard(record["problem"])

    def decode(self, problems: Sequence[Problem], records: Sequence[dict]) -> list[list[tuple[int, ...]]]:
        """What greedy decoding writes, per problem and view, from the contents on disk."""
        contents = torch.stack([self.folder.content(record) for record in records])
        return decode_problems(self.generator, problems, contents.to(self.generator.device))

    def diagnose(self, stage: int, problems: Sequence[Problem], config: OptimizerConfig) -> None:
        """After a failed gate: keep what remedies tried on some failures say."""
        records, known = self.folder.records(stage), self.folder.diagnosis()
        if known.get(str(stage), {}).get("records") == len(records):
            return
        found = diagnosis(self.generator, self.watched, stage, records, problems, config)
        if not self.stop.is_set():
            self.folder.write_json(SUMMARY, {"diagnosis": {**known, str(stage): found}})

    def summarize(self, finished: bool, halted_after: int | None = None) -> dict:
        """Summarize all records of the folder and write ``summary.json``.

        Args:     finished  False after a stop; halted_after  the stage whose gate ended the run, if one did
        """
        summary = {
            "finished": finished,
            "halted_after": halted_after,
            **summarize(self.folder),
            "diagnosis": self.folder.diagnosis(),
        }
        self.folder.write_json(SUMMARY, summary)
        return summary
