"""Time the optimizer beside the ways contents are optimized elsewhere: ``python -m dcm_helpers.benchmark --help``."""

import dataclasses
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig
from dcm_helpers.errors import require
from dcm_helpers.files import write_safely
from dcm_helpers.shell import FINISHED, command_line

# the rooms are imported where they are used: they take seconds, which --help should not
if TYPE_CHECKING:
    from dcm_helpers.bench import EvaluationCost, Race
    from dcm_helpers.generator import Generator
    from dcm_helpers.stm import Problem

METHODS = (
    "ours",
    "ours, learned start",
    "ours, few steps from the learned start",
    "ours, settings of the static batch",
    "static batch",
    "one pair at a time",
    "PEFT prompt tuning",
)


@dataclass(frozen=True)
class Command:
    """Time our optimizer beside one pair at a time, a static batch and PEFT prompt tuning.

    'speed': what one step of one problem costs, by precision and compile setting

    'race': the whole way to exact reconstruction, on the same pairs

    'command': all that a user waits for, from run_phase1a's call to its end, beside the same run one pair at a time

    'growth': cost and memory against problems, slots, target length and batch

    'scale': workers on this machine beside the plain loop, and how many workers one driver can serve, which sleep;
    draws scaling.svg beside the output
    """

    part: tuple[Literal["speed", "race", "command", "growth", "scale"], ...] = ("speed", "race", "growth")
    """What to time."""
    model: str = "smollm2-135m"
    """Generator: 'smollm2-135m', 'tiny', a hub id or a local folder."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the race for all methods but one pair at a time, which runs in the one that is faster for it."""
    compile: bool = False
    """Compile the Generator's blocks for the race; the time it takes is not counted."""
    dataset: str = "pairs"
    """Question-answer pairs, as for run_phase1a."""
    num_examples: int = 8
    """How many pairs to use."""
    data_seed: int = 0
    """Seed that chooses which pairs are sampled."""
    K: int = 8
    """Content slots."""
    start: str = "learned"
    """The learned start: the one that ships, or a file."""
    num_steps: int = 200
    """Steps that each method may take for a pair in the race; nobody restarts."""
    methods: tuple[Literal[METHODS], ...] = METHODS  # type: ignore[valid-type]
    """Who takes part in the race."""
    batch_size: int | None = None
    """Problems in flight, and members of a static batch; None takes as many as keep the device busy."""
    compiled_speed: bool = False
    """The part 'speed' also times compiled blocks (a minute or so of compiling for each precision)."""
    repeats: int = 3
    """Timings of each step, and runs of each method in the race; medians are printed.
    A race of slow methods takes long: 1 times each once."""
    problems: tuple[int, ...] = (10, 100, 1000, 10000)
    """Sizes of the growth runs."""
    workers: tuple[int, ...] = (1, 10, 100, 1000)
    """Numbers of workers that sleep."""
    seconds: tuple[float, ...] = (2.6, 0.26, 0.026)
    """Seconds that such a worker takes for a problem: 2.6 is SmolLM2 at K=8 on two cores; the others are ten and a
    hundred times as fast."""
    output: Path = field(default_factory=lambda: Path("results/benchmark.json"))
    """Where the figures go as JSON."""

    def __post_init__(self):
        for name in ("num_examples", "K", "num_steps", "repeats"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")
        for name in ("part", "methods", "problems", "workers", "seconds"):
            require(bool(getattr(self, name)), f"{name} names nothing; leave it out, or name some")
        for name in ("problems", "workers"):
            require(min(getattr(self, name)) >= 1, f"{name} is {getattr(self, name)}; expected numbers of at least 1")
        require(min(self.seconds) >= 1e-3, f"seconds is {self.seconds}; expected numbers of at least 0.001")


def speed(command: Command) -> dict:
    """The part 'speed': cost of a step by precision and compile setting."""
    from dcm_helpers.bench import evaluation_costs, matmul_ceiling
    from dcm_helpers.generator import PRECISIONS

    tables = {}
    for precision in PRECISIONS:
        ceiling = 0.0
        for compiled in (False, True) if command.compiled_speed else (False,):
            generator, problems = prepared(command, precision, compiled)
            config = OptimizerConfig(K=command.K, batch_size=command.batch_size, stop_rule="minimize")
            ceiling = max(
                ceiling, matmul_ceiling(generator.device, generator.dtype)
            )  # a product is the same, compiled or not
            costs = evaluation_costs(generator, problems, config, command.repeats, ceiling)
            name = f"{precision}, {'compiled' if compiled else 'not compiled'}"
            print_speed(name, ceiling, costs)
            tables[name] = {
                "ceiling_gigaflop_per_second": ceiling / 1e9,
                "methods": {method: dataclasses.asdict(cost) for method, cost in costs.items()},
            }
    return tables


def print_speed(name: str, ceiling: float, costs: "dict[str, EvaluationCost]") -> None:
    """One table of step costs."""
    print(f"\nOne step of one problem, {name}; matrix multiplication reaches {ceiling / 1e9:.0f} GFLOP/s")
    print(f"  {'':22}{'ms':>8}  {'(fastest, slowest)':20}{'x ours':>7}{'tokens/s':>10}{'GFLOP':>8}{'of ceiling':>12}")
    for method, cost in costs.items():
        spread = f"({cost.spread[0]:.1f}, {cost.spread[1]:.1f})"
        print(
            f"  {method:22}{cost.milliseconds:8.1f}  {spread:20}{cost.milliseconds / costs['ours'].milliseconds:7.2f}"
            f"{cost.tokens_per_second:10.0f}{cost.gigaflop:8.1f}{cost.ceiling:12.0%}"
        )


def run_race(command: Command) -> list[dict]:
    """The part 'race': everyone to exact reconstruction on the same pairs."""
    from dcm_helpers.bench import contestants, race

    own = prepared(command, command.dtype, command.compile)
    config = OptimizerConfig(
        K=command.K, num_steps=command.num_steps, num_restarts=1, stop_rule="exact", batch_size=command.batch_size
    )
    alone = one_pair_at_a_time(command, config) if "one pair at a time" in command.methods else own[0]
    size = command.batch_size or len(own[1])
    warm_up = dataclasses.replace(config, num_steps=1)
    finished: list[Race] = []
    print(f"\nTo exact reconstruction: {len(own[1])} pairs, K={command.K}, at most {command.num_steps} steps")
    for method in command.methods:
        generator, problems = (alone if method == "one pair at a time" else own[0]), own[1]
        contestants(generator, problems[:2], warm_up, size, command.start)[method][1]()
        settings, work = contestants(generator, problems, config, size, command.start)[method]
        settings = f"{generator.precision}, {settings}"
        finished.append(race(method, settings, generator, problems, command.K, work, command.repeats))
        print(finished[-1].told_beside(finished[0]), flush=True)
    return [each.beside(finished[0]) for each in finished]


def one_pair_at_a_time(command: Command, config: OptimizerConfig) -> "Generator":
    """The Generator in the precision that one pair at a time is faster in."""
    from dcm_helpers.bench import faster_alone
    from dcm_helpers.generator import PRECISIONS

    loaded = [prepared(command, precision, False) for precision in PRECISIONS]
    return faster_alone([generator for generator, _ in loaded], loaded[0][1], config)


def run_command(command: Command) -> dict:
    """The part 'command': stage 2 from the shell, with baselines, until exact."""
    from dcm_helpers.bench import whole_command

    flags = {name: getattr(command, name) for name in ("model", "device", "dataset", "num_examples", "data_seed")}
    flags |= {"K": command.K, "num_steps": command.num_steps, "num_restarts": 1, "stop_rule": "exact", "stage": 2}
    words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    config = OptimizerConfig(K=command.K, num_steps=command.num_steps)
    alone = one_pair_at_a_time(command, config).precision
    ours, theirs = "dcm_helpers.run_phase1a", "dcm_helpers.bench.whole"
    rows = {
        "ours": (ours, ["--dtype", command.dtype]),
        "ours, learned start": (ours, ["--dtype", command.dtype, "--start", command.start]),
        "one pair at a time": (theirs, ["--dtype", alone]),
    }
    print(
        f"\nFrom the call to the end, stage 2 with baselines: {command.num_examples} pairs, K={command.K}, until exact"
    )
    found = {}
    for method in filter(rows.get, command.methods):
        program, own = rows[method]
        whole = whole_command(program, [*words, *own, "--ignore-gates"], command.repeats)
        print(f"  {method} ({' '.join(own)}): {whole}", flush=True)
        found[method] = whole.summary()
    return found


def growth(command: Command) -> dict:
    """The part 'growth': many problems on the tiny Generator, and one step against K, batch and target length."""
    from dcm_helpers.bench import growth_table, sweep

    print("\nRuns on the tiny Generator, 5 steps a problem, everything stored")
    runs = growth_table(command.problems)
    print_rows(runs)
    generator, problems = prepared(command, command.dtype, command.compile)
    print(f"\nOne step of one problem, {generator.name}, against K, batch and target length")
    config = OptimizerConfig(K=command.K, batch_size=command.batch_size, stop_rule="minimize")
    steps = sweep(generator, problems, config, command.repeats)
    print_rows(steps)
    return {"runs": runs, "steps": steps}


def scale(command: Command) -> dict:
    """The part 'scale': workers beside the plain loop, one driver with workers that sleep, and its baselines."""
    from dcm_helpers.bench import baseline_seconds, overhead_table, scale_table
    from dcm_helpers.pairs import load_pairs
    from dcm_helpers.show import throughput

    generator, problems = prepared(command, command.dtype, command.compile)
    pairs = {
        pair.id: pair for pair in load_pairs(DataConfig(command.dataset, command.num_examples, command.data_seed)).pairs
    }
    baselines = baseline_seconds(generator, problems, [pairs[problem.pair] for problem in problems], command.K)
    print(f"\nBaselines of a pair, {generator.name}: {baselines:.2f} s of the driver")
    own = GeneratorConfig(command.model, command.device, generator.precision)
    print("\nWorkers on this machine beside the plain loop, updates a second")
    overhead = overhead_table(generator, own, problems, command.K, command.repeats)
    print_rows(overhead)
    print("\nOne driver, its workers asleep")
    rows = scale_table(command.workers, command.seconds)
    print_rows(rows)
    throughput(rows, baselines).write_image(command.output.with_name("scaling.svg"), width=760, height=380)
    return {"baseline_seconds": baselines, "overhead": overhead, "driver": rows}


def print_rows(rows: list[dict]) -> None:
    """Dictionaries with the same keys as a table."""
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) + 2 for name in rows[0]}
    print("".join(f"{name:>{width}}" for name, width in widths.items()))
    for row in rows:
        print("".join(f"{row[name]!s:>{width}}" for name, width in widths.items()), flush=True)


def prepared(command: Command, dtype: str, compiled: bool) -> "tuple[Generator, list[Problem]]":
    """A Generator in some precision, and the problems tokenized for it."""
    from dcm_helpers.generator import load_generator
    from dcm_helpers.pairs import load_pairs
    from dcm_helpers.stm import joint_problems, require_fits

    generator = load_generator(GeneratorConfig(command.model, command.device, dtype, "always" if compiled else "never"))
    dataset = load_pairs(DataConfig(command.dataset, command.num_examples, command.data_seed))
    problems = joint_problems(generator, dataset.writable(generator).pairs)
    require_fits(generator, problems, command.K)
    return generator, problems


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 finished, 2 a mistake in the input, 130 stopped."""
    return command_line(benchmark, arguments, "The figures of finished parts are kept.")


def benchmark(arguments: Sequence[str] | None) -> int:
    """Measure the parts that were asked for, and keep the figures of each."""
    parts = {"speed": speed, "race": run_race, "command": run_command, "growth": growth, "scale": scale}
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.benchmark")
    import torch
    from transformers.utils import logging

    from dcm_helpers.bench import matmul_ceiling
    from dcm_helpers.generator import PRECISIONS, resolve_device

    logging.disable_progress_bar()
    device = torch.device("cuda") if command.device == "sharded" else resolve_device(command.device)
    ceilings = {name: round(matmul_ceiling(device, getattr(torch, name)) / 1e9, 1) for name in PRECISIONS}
    told = ", ".join(f"{value:.0f} in {name}" for name, value in ceilings.items())
    print(f"Matrix multiplication on {device}: {told} GFLOP/s")
    figures: dict = {
        "settings": json.loads(json.dumps(dataclasses.asdict(command), default=str)),
        "machine": {
            "processor": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
            "threads": torch.get_num_threads(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "torch": torch.__version__,
            "ceilings_gigaflop_per_second": ceilings,
        },
    }
    command.output.parent.mkdir(parents=True, exist_ok=True)
    for name in command.part:
        figures[name] = parts[name](command)
        write_safely(command.output, json.dumps(figures, indent=2).encode() + b"\n")
    print(f"\nWritten to {command.output}")
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
