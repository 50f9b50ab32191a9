"""A Diffuser: from noise and a condition to a content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from dcm_helpers.config import DiffuserConfig
from dcm_helpers.diffuser.condition import States, condition_ids, states_of, together
from dcm_helpers.diffuser.examples import Example, Scale
from dcm_helpers.diffuser.flow import guided, walk
from dcm_helpers.diffuser.network import Network, attended
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.pairs import Pair
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stm import Problem, View, greedy_decode, mode_ids, view_rows

STEPS = 8
"""Steps of time from noise to content, where none are given."""
WRITTEN = 56
"""How many tokens are written, beside the decoder's few more, where no target says it."""
AT_ONCE = 64
"""Contents that are made together."""


@dataclass(frozen=True)
class Diffuser:
    """What was trained, with the units that it works in."""

    network: Network
    scale: Scale
    config: DiffuserConfig

    @property
    def K(self) -> int:
        """Slots of the contents that it makes."""
        return len(self.scale.mean)

    def conditions(self, generator: Generator, pairs: Sequence[Pair]) -> list[States]:
        """What it reads of pairs."""
        ids = [condition_ids(generator, pair, self.config.reads) for pair in pairs]
        return states_of(generator, ids, self.config.depth)

    def walk(
        self, conditions: Sequence[States], noise: Contents, steps: int = STEPS, guidance: float = 1.0
    ) -> Iterator[tuple[float, Contents, Contents]]:
        """Walk from noise to contents, one step of time after the other; a direct one is there in one step.

        Args:     noise  as :meth:`noise` draws it;  guidance  1 takes estimates as they are, more exaggerates what the
                  condition says
        Yields:   the time, from 0 to 1; contents as they stand, and as they are estimated
        Raises:   InputError if steps are not at least 1, or what was not trained without conditions is to be guided
        """
        plain = guidance == 1 or (self.config.kind == "flow" and self.config.dropped > 0)
        require(plain, f"guidance is {guidance:g}; this Diffuser never learned without its condition, so use 1")
        condition, told = together(conditions, noise.device)

        @torch.no_grad()
        def estimate(state: Contents, time: Float[Tensor, " B"], before: Contents) -> Contents:
            found = self.network(state, time, before, condition, told)
            if guidance == 1:
                return found
            without = self.network(state, time, before, condition, torch.zeros_like(told))
            return guided(found, without, guidance)

        for time, state, estimated in walk(*self.begins(noise, steps), estimate):
            yield time, self.scale.contents(state), self.scale.contents(estimated)

    def noise(self, names: Sequence[str], seed: int = 0) -> Contents:
        """Noise to begin from, which depends on a seed and on what each content is for, and on nothing else."""
        drawn = [torch.randn(self.scale.mean.shape, generator=seeded("noise", seed, name)) for name in names]
        return torch.stack(drawn).to(self.scale.mean.device)

    def sample(self, examples: Sequence[Example], seed: int = 0, steps: int = STEPS, guidance: float = 1.0) -> Contents:
        """A content for each example, from noise of its own."""
        found = []
        for start in range(0, len(examples), AT_ONCE):
            some = examples[start : start + AT_ONCE]
            noise = self.noise([each.problem.id for each in some], seed)
            *_, (_, contents, _) = self.walk([each.condition for each in some], noise, steps, guidance)
            found.append(contents)
        return torch.cat(found)

    def attended(self, condition: States, noise: Contents, steps: int = STEPS) -> Float[Tensor, "steps blocks K X"]:
        """How much each slot takes of each position of a condition, at every step from noise to content.

        Args:     noise  (1, K, D), as :meth:`noise` draws it
        """
        states, told = together([condition], noise.device)
        found = []

        def estimate(state: Contents, time: Float[Tensor, " B"], before: Contents) -> Contents:
            found.append(attended(self.network, state, time, before, states, told)[0])
            with torch.no_grad():
                return self.network(state, time, before, states, told)

        for _ in walk(*self.begins(noise, steps), estimate):
            pass
        return torch.stack(found)

    def begins(self, noise: Contents, steps: int) -> tuple[Contents, int]:
        """Where a walk begins and in how many steps: a direct one at nothing, in one."""
        require(steps >= 1, f"steps is {steps}; expected at least 1")
        return (torch.zeros_like(noise), 1) if self.config.kind == "direct" else (noise, steps)

    def written(self, generator: Generator, asked: Pair, samples: int = 1, **how: float) -> list[dict[str, str]]:
        """What the Generator writes in each mode from contents that are made for a question.

        Args:     asked  its question, and its context for a Diffuser that reads one; its answer is not looked at;
                  how  ``seed``, ``steps`` and ``guidance``, as for :meth:`sample`
        Returns:  for each sample, by mode word, the text
        Raises:   InputError if it reads the answer, too, or a passage that is not there
        """
        problems = self.asking(generator, asked, samples)
        (states,) = self.conditions(generator, [asked])
        contents = self.sample([Example(problem, states) for problem in problems], **how)
        return texts_of(generator, problems, contents)

    def written_on_the_way(
        self, generator: Generator, asked: Pair, seed: int = 0, steps: int = STEPS, guidance: float = 1.0
    ) -> list[dict[str, float | str]]:
        """What the Generator writes from the estimate at every step from noise to a content.

        Returns:  for each step its ``time``, from which it walked on, and by mode word the text
        Raises:   InputError as :meth:`written`
        """
        problems = self.asking(generator, asked, 1)
        noise = self.noise([problems[0].id], seed)
        way = self.walk(self.conditions(generator, [asked]), noise, steps, guidance)
        times = [0.0]
        rows = []
        for time, _, estimate in way:
            rows.append({"time": times[-1], **texts_of(generator, problems, estimate)[0]})
            times.append(time)
        return rows

    def asking(self, generator: Generator, asked: Pair, samples: int) -> list[Problem]:
        """Problems that a question poses, whose targets say only how far decoding may run.

        Raises:   InputError if the Diffuser reads the answer, too
        """
        reads = self.config.reads
        require(reads != "pair", "this Diffuser reads the answer beside the question, so it cannot be asked for it")
        views = tuple(
            View(mode, "", (generator.eos_id,) * WRITTEN, (number,))
            for mode, number in mode_ids(generator, self.config.modes).items()
        )
        return [Problem(f"{asked.question}/{number}", views) for number in range(samples)]


def texts_of(generator: Generator, problems: Sequence[Problem], contents: Contents) -> list[dict[str, str]]:
    """What is written from contents, by mode word."""
    decoded = iter(greedy_decode(generator, view_rows(generator, problems), contents, contents.shape[1]))
    return [{view.name: generator.text(next(decoded).ids) for view in problem.views} for problem in problems]
