"""Stand-ins that are far cheaper than what they stand for, and remember what was asked of them."""

from types import SimpleNamespace

import pandas as pd
import torch

from dcm_helpers.inquiry import Study, StudyConfig


def vocabulary(size, width, special=()):
    """A stand-in for a Generator, of random token embeddings, that remembers how many it was asked for at once."""
    table = torch.randn(size, width, generator=torch.Generator().manual_seed(0))
    asked = []

    def embed(ids):
        asked.append(len(ids))
        return table[ids]

    fake = SimpleNamespace(device=torch.device("cpu"), ordinary_ids=(size, set(special)), embed=embed)
    return fake, table, asked


class Told:
    """A study of which all that is known was made up.

    Args:     tables  by name, or one for every name;  problems  of each part, as ``Study.per_problem`` has them;
              records  of each part;  steps  that each part's restarts are given;  pairs  of its runs, by id
    """

    def __init__(self, tables=None, problems=None, records=None, steps=300, pairs=None, generator=None, **size):
        self.generator = generator
        self.tables, self.problems, self.made = tables, problems or {}, records or {}
        self.ran = SimpleNamespace(optimizer=SimpleNamespace(num_steps=steps), pairs=pairs)
        self.config = StudyConfig(**size)

    command = "python -m made_up"

    def table(self, name):
        return self.tables[name] if isinstance(self.tables, dict) else self.tables

    def has_table(self, name):
        return not isinstance(self.tables, dict) or name in self.tables

    def per_problem(self, part):
        return self.problems[part]

    def paired(self, one, other):
        return Study.paired(self, one, other)

    def complete(self, part):
        return part in self.problems

    def records(self, part):
        return self.made[part]

    def run(self, part):
        return self.ran

    def first_of_each(self, table):
        return table


def problems(steps, pairs=None, **columns):
    """What is known of a part's problems: by default all exact, with these steps to their first exact content."""
    pairs = pairs or [f"pair-{index:02}" for index in range(len(steps))]
    known = {"pair": pairs, "reconstructed": True, "teacher_forced_exact": True, "loss": 0.1, "steps_to_exact": steps}
    return pd.DataFrame(known | columns, index=pd.Index([f"{pair}:joint" for pair in pairs], name="problem"))


def values_of(finding):
    """The numbers of a finding and of its control by name; the figure's under ''."""
    return {quantity.name: quantity.value for quantity in (*finding.control, *finding.figure)}
