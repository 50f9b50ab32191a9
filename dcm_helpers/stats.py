"""Rates and estimates with 95 % intervals, pair by pair where two things are compared. The unit is always the pair."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.stats
from jaxtyping import Float

from dcm_helpers.errors import require

RESAMPLES = 2000
"""Bootstrap samples behind an interval."""


def rate(successes: int, n: int) -> dict:
    """A proportion with its 95 % Wilson interval.

    Source:   Wilson (1927), via scipy
    """
    if n == 0:
        return {"count": 0, "n": 0, "rate": None, "low": None, "high": None}
    interval = scipy.stats.binomtest(successes, n).proportion_ci(method="wilson")
    return {"count": successes, "n": n, "rate": successes / n, "low": interval.low, "high": interval.high}


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and how many pairs it rests on."""

    value: float
    low: float
    high: float
    n: int | None = None
    """None where it is not known, or not the number of pairs."""
    p: float | None = None
    """Of no difference (or a ratio of 1, or no correlation), two-sided, where the number is one of a comparison."""

    def text(self, form: str = ".3g", percent: bool = False) -> str:
        """As in '1.04 (0.78 to 1.4), n=32'.

        Args:     form  how each number is written;  percent  whether a share is written in percent
        """
        scale, unit = (100, " %") if percent else (1, "")
        value, low, high = (f"{scale * number:{form}}" for number in (self.value, self.low, self.high))
        count = "" if self.n is None else f", n={self.n}"
        return f"{value}{unit} ({low} to {high}){count}"


@dataclass(frozen=True)
class BesideChance:
    """A number beside the middle 95 % of what chance gives."""

    value: float
    low: float
    high: float
    p: float
    of: str = ""
    """What it was measured in, where that was chosen among several; p is corrected for the choice."""

    def text(self, form: str = ".3g", percent: bool = False) -> str:
        """As in '0.217 in mean slot (chance 0.025 to 0.133), p=0.004'."""
        scale, unit = (100, " %") if percent else (1, "")
        value, low, high = (f"{scale * number:{form}}" for number in (self.value, self.low, self.high))
        return f"{value}{unit}{f' in {self.of}' if self.of else ''} (chance {low} to {high}), p={self.p:.2g}"


@dataclass(frozen=True)
class Quantity:
    """A number under its name; its text is made when it is shown."""

    name: str
    value: Estimate | BesideChance | float | tuple[float, ...]
    form: str = ".3g"
    """How each number is written."""
    percent: bool = False
    """Whether a share is written in percent."""

    def text(self) -> str:
        """Name and value."""
        if isinstance(self.value, Estimate | BesideChance):
            value = self.value.text(self.form, self.percent)
        else:
            numbers = self.value if isinstance(self.value, tuple) else (self.value,)
            scale = 100 if self.percent else 1
            value = " and ".join(f"{scale * number:{self.form}}" for number in numbers) + (" %" if self.percent else "")
        return f"{self.name} {value}" if self.name and not self.name.endswith("=") else f"{self.name}{value}"


def mean(values: Sequence[float]) -> Estimate:
    """The mean with Student's interval."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return Estimate(float(values.mean()) if len(values) else math.nan, -math.inf, math.inf, len(values))
    center, error, free = values.mean(), scipy.stats.sem(values), len(values) - 1
    half = scipy.stats.t.ppf(0.975, free) * error
    p = two_sided(center, error, free)
    return Estimate(float(center), float(center - half), float(center + half), len(values), p)


def two_sided(center: float, error: float, free: int) -> float:
    """Student's p of a number that would be 0, with its standard error and degrees of freedom."""
    return float(2 * scipy.stats.t.sf(abs(center) / error, free)) if error > 0 else float(center == 0)


def median(values: Sequence[float]) -> Estimate:
    """The median with an interval by the bootstrap (percentiles)."""
    return bootstrapped(partial(np.median, axis=-1), np.asarray(values, dtype=float))


def share(flags: Sequence[bool]) -> Estimate:
    """A proportion with Wilson's interval."""
    found = rate(int(np.sum(flags)), len(flags))
    return Estimate(found["rate"], found["low"], found["high"], found["n"])


def mean_share(shares: Sequence[float]) -> Estimate:
    """The mean of shares, one for each pair, with a bootstrap interval, which stays between 0 and 1.

    Where all are 0, or all 1, resampling finds no spread, and none is no certainty: Wilson's interval over the pairs.
    """
    values = np.asarray(shares, dtype=float)
    return share(values == 1) if set(values) in ({0.0}, {1.0}) else bootstrapped(partial(np.mean, axis=-1), values)


def ratio(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """How many times the first values are the second ones, pair by pair: geometric mean, Student's interval on logs."""
    logs = mean(np.log(np.asarray(one, dtype=float)) - np.log(np.asarray(other, dtype=float)))
    return Estimate(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high), logs.n, logs.p)


def ratio_of_sums(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """The sum of the first values over that of the second ones, with Fieller's interval over what they stand for.

    Its interval holds every ratio r for which Student's test does not tell the first values from r times the second
    ones, so it is right for a dozen of them, too. It has no ends where the second sum is not told from 0. Its p is that
    of a ratio of 0.

    Source:   Fieller, Some problems in interval estimation (1954)
    """
    first, second = (np.asarray(values, dtype=float) for values in (one, other))
    n, difference = len(first), mean(first)
    value = float(first.sum() / second.sum()) if second.sum() else math.inf
    if n < 2:
        return Estimate(value, -math.inf, math.inf, n)
    t = scipy.stats.t.ppf(0.975, n - 1)
    (of_first, shared), (_, of_second) = t**2 * np.cov(first, second) / n
    a = second.mean() ** 2 - of_second
    if a <= 0:
        return Estimate(value, -math.inf, math.inf, n, difference.p)
    b, c = first.mean() * second.mean() - shared, first.mean() ** 2 - of_first
    half = math.sqrt(max(b**2 - a * c, 0.0))
    return Estimate(value, float((b - half) / a), float((b + half) / a), n, difference.p)


def seen_mostly(estimate: Estimate) -> float:
    """How far from no difference an effect must be for a study like this one to show it four times of five.

    In the estimate's own unit; for a ratio on logarithms: apply it to those.
    """
    t, power = (scipy.stats.t.ppf(at, estimate.n - 1) for at in (0.975, 0.8))
    return float((t + power) / t * (estimate.high - estimate.low) / 2)


def ratio_seen_mostly(estimate: Estimate) -> float:
    """The ratio below 1 that a study like this one would show four times of five."""
    logs = replace(estimate, low=math.log(estimate.low), high=math.log(estimate.high))
    return math.exp(-seen_mostly(logs))


def crossed_ratio(
    values: Sequence[float], rows: Sequence[Hashable], columns: Sequence[Hashable], condition: Sequence[bool]
) -> Estimate:
    """How many times as large values are under a condition, each row's and each column's own level taken out.

    For values of crossed things, as steps for questions that meet several answers: some rows and columns are harder
    than others, whatever they meet. Least squares on logs with an effect of each row and each column; Student's
    interval, whose degrees of freedom are what these effects leave. Values must repeat rows and columns often enough:
    a single exchange of answers, in which each stands once on either side, leaves one less than it has circles.

    Args:     values  positive;  rows, columns  of each value;  condition  whether each value was found under it
    Returns:  the ratio; n counts rows, or where these do not vary on their own what does: the circles of an exchange
    Raises:   InputError if the design leaves no degrees of freedom, or cannot tell the condition from rows and columns
    Source:   two-way fixed effects, as Scheffe (1959), chapter 4, has them for unbalanced layouts
    """
    logs = crossed_difference(np.log(np.asarray(values, dtype=float)), rows, columns, condition)
    return replace(logs, value=math.exp(logs.value), low=math.exp(logs.low), high=math.exp(logs.high))


def crossed_ranks(
    values: Sequence[float], rows: Sequence[Hashable], columns: Sequence[Hashable], condition: Sequence[bool]
) -> float:
    """The p of :func:`crossed_ratio` with ranks in place of logs: a few values far off the others decide less of it.

    Source:   Conover and Iman, Rank transformations (1981)
    """
    return crossed_difference(scipy.stats.rankdata(values), rows, columns, condition).p


def crossed_difference(
    values: Float[np.ndarray, " n"], rows: Sequence[Hashable], columns: Sequence[Hashable], condition: Sequence[bool]
) -> Estimate:
    """How much larger values are under a condition, each row's and each column's own level taken out.

    Raises:   InputError as :func:`crossed_ratio`
    """
    parts = [np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1] for labels in (rows, columns)]
    levels = np.concatenate([np.eye(part.max() + 1)[part] for part in parts], axis=1)
    measured = np.stack([np.asarray(condition, dtype=float), values], axis=1)
    explained, *_ = np.linalg.lstsq(levels, measured)
    flag, left = (measured - levels @ explained).T
    free = len(flag) - int(np.linalg.matrix_rank(levels)) - 1
    require(
        free > 0 and flag @ flag > 1e-9,
        f"{len(flag)} values of {parts[0].max() + 1} rows and {parts[1].max() + 1} columns leave nothing to compare; "
        "each row must meet several columns",
    )
    effect = flag @ left / (flag @ flag)
    spread = np.sum((left - effect * flag) ** 2) / free
    error = math.sqrt(spread / (flag @ flag))
    half = scipy.stats.t.ppf(0.975, free) * error
    n = min(int(parts[0].max()), free) + 1
    return Estimate(float(effect), float(effect - half), float(effect + half), n, two_sided(effect, error, free))


def share_difference(one: Sequence[bool], other: Sequence[bool]) -> tuple[Estimate, float]:
    """Difference of two paired proportions, with its interval and McNemar's exact p.

    The interval is Bonett and Price's adjusted Wald interval for paired proportions (2012).
    """
    first, second = np.asarray(one, dtype=bool), np.asarray(other, dtype=bool)
    n, only_first, only_second = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    p = float(scipy.stats.binomtest(only_first, only_first + only_second).pvalue) if only_first + only_second else 1.0
    a, b = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    half = scipy.stats.norm.ppf(0.975) * math.sqrt((a + b - (a - b) ** 2) / (n + 2))
    return Estimate((only_first - only_second) / n, max(-1.0, a - b - half), min(1.0, a - b + half), n), p


def correlation(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Spearman's rank correlation with an interval by the bootstrap over pairs (percentiles)."""
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    p = scipy.stats.spearmanr(first, second).pvalue if len(first) > 2 else math.nan
    return replace(bootstrapped(rank_correlation, first, second), p=None if math.isnan(p) else float(p))


def partial_correlation(one: Sequence[float], other: Sequence[float], *held: Sequence[float]) -> Estimate:
    """Spearman's rank correlation of what other columns leave of both, with an interval by the bootstrap over pairs.

    Source:   partial rank correlation: (r12 - r13 r23) / sqrt((1 - r13^2) (1 - r23^2)), one column after the other
    """

    def partial_of(*columns: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
        first, second, *before = columns
        if not before:
            return rank_correlation(first, second)
        *before, last = before
        r12, r13, r23 = (partial_of(*both, *before) for both in ((first, second), (first, last), (second, last)))
        scale = np.sqrt((1 - r13**2) * (1 - r23**2))
        return np.divide(r12 - r13 * r23, scale, out=np.full_like(scale, np.nan), where=scale > 0)

    return bootstrapped(partial_of, *(np.asarray(values, dtype=float) for values in (one, other, *held)))


def rank_correlation(one: Float[np.ndarray, "... n"], other: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """Spearman's rank correlation along the last axis; nan where one side is constant."""
    ranks = [scipy.stats.rankdata(values, axis=-1) for values in (one, other)]
    first, second = (each - each.mean(-1, keepdims=True) for each in ranks)
    scale = np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    return np.divide((first * second).sum(-1), scale, out=np.full_like(scale, np.nan), where=scale > 0)


def bootstrapped(statistic: Callable[..., np.ndarray], *columns: Float[np.ndarray, " n"]) -> Estimate:
    """A statistic of some paired columns with its percentile bootstrap interval, seeded.

    Args:     statistic  of each row of its arguments; resamples on which it is nan are left out
    """
    n = len(columns[0])
    value = float(statistic(*columns))
    chosen = np.random.default_rng(0).integers(n, size=(RESAMPLES, n))
    drawn = statistic(*(column[chosen] for column in columns))
    drawn = drawn[~np.isnan(drawn)]
    if n < 2 or not len(drawn):
        return Estimate(value, -math.inf, math.inf, n)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(value, float(low), float(high), n)
