"""How near predicted contents come to those that were found, and what that is worth to the Generator."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event

import pandas as pd
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.diffuser import Example, contents_of
from dcm_helpers.generator import Generator
from dcm_helpers.look import half_radius, under_noise
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stats import Estimate, ratio
from dcm_helpers.stm import for_each_row, lay_out, target_logits, view_rows


def in_contents(predictions: Contents, held: Sequence[Example], learned: Sequence[Example]) -> pd.DataFrame:
    """How near predictions come to contents that were held out, in the contents' own space.

    Returns:  one row an example: ``error``, the squared distance to the content that was found for it; ``from_mean``,
              that of the mean of what was learned from, so that R² is 1 minus the sum of the first over that of the
              second; ``own_nearest``, whether of all that were held out its own is nearest (1 of so many by chance)
    """
    found, mean = contents_of(held).double().flatten(1), contents_of(learned).double().mean(0).flatten()
    flat = predictions.double().flatten(1).cpu()
    return pd.DataFrame(
        {
            "problem": [each.problem.id for each in held],
            "error": (flat - found).square().sum(1),
            "from_mean": (found - mean).square().sum(1),
            "own_nearest": torch.cdist(flat, found).argmin(1) == torch.arange(len(held)),
        }
    )


def in_predictions(generator: Generator, predictions: Contents, held: Sequence[Example]) -> Float[Tensor, " B"]:
    """How far the Generator's predictions part: KL(after what was found || after what is predicted), nats a token.

    At the target tokens of all views of an example, each read after the target's own tokens.
    """
    rows = view_rows(generator, [each.problem for each in held])
    found = contents_of(held).to(generator.device)
    predictions = predictions.to(found)
    tokens = torch.tensor([len(row.target_ids) for row in rows]).double()

    @torch.no_grad()
    def of_group(group: list[int]) -> list[float]:
        layout = lay_out(generator, [rows[index] for index in group], found.shape[1])
        after, other = (
            target_logits(generator, layout, contents).double().log_softmax(1) for contents in (found, predictions)
        )
        apart = (after.exp() * (after - other)).sum(1)
        return apart.new_zeros(len(group)).index_add(0, layout.target_rows, apart).tolist()

    summed = torch.tensor(for_each_row(rows, found.shape[1], of_group), dtype=torch.float64)
    places = torch.tensor([row.place for row in rows])
    nothing = torch.zeros(len(held), dtype=torch.float64)
    return nothing.index_add(0, places, summed) / nothing.index_add(0, places, tokens)


def radii(generator: Generator, held: Sequence[Example], steps: Sequence[float], draws: int = 4) -> list[float]:
    """How far from each content that was found half of the random directions still lead to one that is exact.

    A prediction must come at least so near, if its error points nowhere in particular.

    Args:     steps  distances that are tried, ascending, as shares of the norm of each slot
    """
    tables = [under_noise(generator, each.problem, each.content.to(generator.device), steps, draws) for each in held]
    return [half_radius(table.groupby("radius")["teacher_forced_exact"].mean()) for table in tables]


def evaluations_from(
    generator: Generator,
    held: Sequence[Example],
    config: OptimizerConfig,
    starts: Mapping[str, Contents | None],
    stop: Event | None = None,
) -> pd.DataFrame:
    """How many evaluations it takes until held-out pairs are exact, from several starts.

    Args:     config  its stop rule is set to 'exact', and nobody restarts;  starts  by name a content for each example;
              None: as the configuration says
    Returns:  one row an example and start: problem, start, ``evaluations``, ``exact``; where it did not become exact,
              evaluations are those of one step more than it was given. Some are missing once ``stop`` is set
    """
    solver = ContentOptimizer(generator, replace(config, stop_rule="exact", num_restarts=1))
    found = []
    for name, contents in starts.items():
        problems = [
            replace(each.problem, initial=None if contents is None else contents[place].cpu())
            for place, each in enumerate(held)
        ]
        for result in solver.optimize(problems, stop=stop):
            evaluations = 1 + (result.steps if result.reconstructed else config.num_steps + 1)
            found.append((result.problem.id, name, evaluations, result.reconstructed))
    return pd.DataFrame(found, columns=["problem", "start", "evaluations", "exact"])


def evaluations_over(table: pd.DataFrame, start: str, first: str) -> Estimate:
    """Evaluations from one start over those from another, pair by pair."""
    wide = table.pivot(index="problem", columns="start", values="evaluations")
    return ratio(list(wide[start]), list(wide[first]))
