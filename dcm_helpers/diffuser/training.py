"""Training a Diffuser, so that it can be stopped anywhere and goes on as if it had not been.

Whatever is drawn in a step depends on (seed, step) alone, and the weights, their average and Adam's state are kept
together in one file: what was trained and stopped ends bit-equal to what was not, on one thread.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from dcm_helpers.config import DiffuserConfig
from dcm_helpers.diffuser.condition import together
from dcm_helpers.diffuser.diffuser import Diffuser
from dcm_helpers.diffuser.examples import Example, Scale, contents_of
from dcm_helpers.diffuser.flow import at_time, draw_times, velocity_loss
from dcm_helpers.diffuser.network import Network
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.learned import measured
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stm import Scores, score_rows, view_rows

BETAS = (0.9, 0.99)
CLIP = 1.0
"""Largest norm of a step's gradient."""
FIRST_AVERAGES = 10
"""The average follows faster at first: after s steps it forgets a share of at least 9 / (10 + s)."""


@dataclass
class Training:
    """A Diffuser in training: its weights, their average, Adam's state, and how far it is."""

    generator: Generator
    config: DiffuserConfig
    scale: Scale
    usual: Float[Tensor, "2 Y"]
    """Of the states of conditions, see :func:`usual_of`."""
    step: int = 0
    network: Network = field(init=False)
    average: Network = field(init=False)
    adam: torch.optim.AdamW = field(init=False)

    def __post_init__(self):
        K, D = self.scale.mean.shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded("diffuser", self.config.seed).initial_seed())
            network = Network(K, D, self.usual, self.config.network)
        self.network, self.scale = network.to(self.generator.device), self.scale.to(self.generator.device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.adam = torch.optim.AdamW(
            self.network.parameters(), lr=self.config.lr, betas=BETAS, weight_decay=self.config.decay
        )

    @property
    def diffuser(self) -> Diffuser:
        """What has come of it so far: the averaged weights."""
        return Diffuser(self.average, self.scale, self.config)

    def update(self, examples: Sequence[Example]) -> dict[str, float]:
        """One step of training. Returns the losses before it.

        Raises:   InputError if they are not finite; what was kept before is still good
        """
        random = seeded("diffuser step", self.config.seed, self.step)
        loss, told = self.losses(examples, random)
        finite = all(map(math.isfinite, told.values()))
        diverged = f"training diverged at step {self.step}"
        way_out = f"use a lower --lr than {self.config.lr:g}, in another folder"
        for group in self.adam.param_groups:
            group["lr"] = self.config.lr_at(self.step)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP).item()
        require(finite and math.isfinite(norm), f"{diverged}: {told}, a gradient of {norm:g}; {way_out}")
        self.adam.step()
        keep = min(self.config.average, (1 + self.step) / (FIRST_AVERAGES + self.step))
        with torch.no_grad():
            for mean, weight in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(weight, 1 - keep)
        self.step += 1
        return told

    def losses(
        self, examples: Sequence[Example], random: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """What is minimized on some examples, and what it is made of."""
        config, count, device = self.config, len(examples), self.generator.device
        condition, told = together([each.condition for each in examples], device)
        noise = torch.randn((count, *self.scale.mean.shape), generator=random).to(device)
        drawn_times, half, dropped = draw_times(count, random), *torch.rand(2, count, generator=random)
        zeros = torch.zeros_like(noise)
        clean = self.scale.standard(contents_of(examples).to(device)) if config.targets else None
        if config.kind == "direct":
            guess = self.network(zeros, zeros[:, 0, 0], zeros, condition, told)
            distances = (guess - clean).square().mean((1, 2)) if config.targets else zeros[:, 0, 0]
            conditioned = torch.ones(count, dtype=torch.bool)
        else:
            times, conditioned = drawn_times.to(device), dropped >= config.dropped
            told = told & conditioned.to(device)[:, None]
            noisy = at_time(clean, noise, times)
            with torch.no_grad():
                first = self.network(noisy, times, zeros, condition, told)
            before = torch.where((half < 0.5).to(device)[:, None, None], first, zeros)
            guess = self.network(noisy, times, before, condition, told)
            distances = velocity_loss(guess, clean, times)
        loss = config.targets * distances.mean()
        parts = {"distance": distances.mean().item()} if config.targets else {}
        if config.entropy:
            chosen = conditioned.nonzero()[: config.heard, 0].tolist()
            nats, entropy = cross_entropy(
                self.generator, [examples[place] for place in chosen], self.scale.contents(guess[chosen])
            )
            loss, parts = loss + config.entropy * entropy, parts | {"nats": nats}
        return loss, parts


def cross_entropy(
    generator: Generator, examples: Sequence[Example], contents: Contents
) -> tuple[float, Float[Tensor, ""]]:
    """What the Generator's writing costs, in nats per target token; once as a number, once with its gradient.

    The second has the gradient, and another value: the Generator is gone through group by group, and forgotten.
    """
    if not examples:
        return 0.0, contents.sum() * 0
    rows = view_rows(generator, [each.problem for each in examples])
    tokens = sum(len(row.target_ids) for row in rows)

    def minimized(_: list[int], scores: Scores) -> Float[Tensor, ""]:
        return scores.nll.sum() / tokens

    nats, gradient, _ = measured(generator, rows, contents, minimized)
    return nats, (gradient * contents).sum()


@torch.no_grad()
def writing_of(generator: Generator, diffuser: Diffuser, examples: Sequence[Example]) -> dict[str, float]:
    """What the Generator makes of contents that a Diffuser makes for some examples.

    Returns:  ``nats`` per target token, and of each kind of text the share that is exact under teacher forcing
    """
    problems = [each.problem for each in examples]
    rows, contents = view_rows(generator, problems), diffuser.sample(examples)
    scores = score_rows(generator, rows, contents, diffuser.K)
    views = [view for problem in problems for view in problem.views]
    lengths = [len(view.target_ids) for view in views]
    found = {"nats": sum(s["loss"] * n for s, n in zip(scores, lengths, strict=True)) / sum(lengths)}
    for kind in dict.fromkeys(view.kind for view in views):
        exact = [s["teacher_forced_exact"] for s, view in zip(scores, views, strict=True) if view.kind == kind]
        found[f"teacher_forced_{kind}"] = sum(map(float, exact)) / len(exact)
    return found
