"""A Diffuser: from noise and a condition to a content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from dcm_helpers.config import DiffuserConfig
from dcm_helpers.diffuser.condition import States, condition_ids, states_of, together
from dcm_helpers.diffuser.examples import Example, Scale
from dcm_helpers.diffuser.flow import guided, walk
from dcm_helpers.diffuser.network import Network
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
        Raises:   InputError if steps are not at least 1
        """
        require(steps >= 1, f"steps is {steps}; expected at least 1")
        condition, told = together(conditions, noise.device)

        @torch.no_grad()
        def estimate(state: Contents, time: Float[Tensor, " B"], before: Contents) -> Contents:
            found = self.network(state, time, before, condition, told)
            if guidance == 1:
                return found
            without = self.network(state, time, before, condition, torch.zeros_like(told))
            return guided(found, without, guidance)

        direct = self.config.kind == "direct"
        for time, state, estimated in walk(
            torch.zeros_like(noise) if direct else noise, 1 if direct else steps, estimate
        ):
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

    def started(self, examples: Sequence[Example], **how: float) -> list[Example]:
        """Examples whose problems begin from what is sampled for them: optimization goes on from there."""
        contents = self.sample(examples, **how)
        return [
            replace(each, problem=replace(each.problem, initial=content))
            for each, content in zip(examples, contents, strict=True)
        ]

    def written(self, generator: Generator, asked: Pair, samples: int = 1, **how: float) -> list[dict[str, str]]:
        """What the Generator writes in each mode from contents that are made for a question.

        Args:     asked  its question, and its context for a Diffuser that reads one; its answer is not looked at;
                  how  ``seed``, ``steps`` and ``guidance``, as for :meth:`sample`
        Returns:  for each sample, by mode word, the text
        Raises:   InputError if it reads the answer, too, or a passage that is not there
        """
        reads = self.config.reads
        require(reads != "pair", "this Diffuser reads the answer beside the question, so it cannot be asked for it")
        modes = mode_ids(generator, self.config.modes)
        views = tuple(View(mode, "", (generator.eos_id,) * WRITTEN, (number,)) for mode, number in modes.items())
        problems = [Problem(f"{asked.question}/{number}", views) for number in range(samples)]
        (states,) = self.conditions(generator, [asked])
        contents = self.sample([Example(problem, states) for problem in problems], **how)
        decoded = greedy_decode(generator, view_rows(generator, problems), contents, self.K)
        texts = iter(generator.text(each.ids) for each in decoded)
        return [{mode: next(texts) for mode in modes} for _ in problems]
