"""Task: is an answer likelier after a content of its own than after a prompt for the whole task and its question?"""

import pandas as pd

from dcm_helpers.inquiry import Answer, Finding, K, Question, Study, StudyConfig, Table, settings, true_part
from dcm_helpers.learned import crossed_prompts, losses_after
from dcm_helpers.stats import Quantity, mean, share

STEPS = 100
"""Updates of a task-level prompt."""


def beside_task(study: Study) -> pd.DataFrame:
    """What answers cost after their first exact content, and after a task-level prompt that never saw them.

    Returns:  one row for each pair: columns pair, and in nats a token, EOS included: first (after its first exact
              content), task, start (after the prompt's start), question (after the question alone), seen (after the
              prompt that was found for pairs of this half)
    """
    generator, pairs = study.generator, study.run(true_part(K)).pairs
    first = answers_in(study, true_part(K))
    config, rows = settings(study.config, num_steps=STEPS), []
    both = crossed_prompts(generator, [pairs[name] for name in sorted(first)], config, study.stop)
    study.require_going()
    for (prompt, own), (of_these, _) in zip(both, both[::-1], strict=True):
        contents = {"task": prompt.content, "start": prompt.start, "question": None, "seen": of_these.content}
        after = {name: losses_after(generator, own, content, K) for name, content in contents.items()}
        rows += [
            {"pair": pair.id, "first": first[pair.id]}
            | {name: losses[pair.id]["loss"] for name, losses in after.items()}
            for pair in own
        ]
    return pd.DataFrame(rows)


def answers_in(study: Study, part: str) -> dict[str, float]:
    """By pair, what answers cost after the contents of a part, in nats a token."""
    return {
        record["pair"]: view["loss"]
        for record in study.records(part)
        for view in record["views"]
        if view["kind"] == "answer"
    }


def instance_below_task(study: Study) -> list[Finding]:
    """The mission's assertion that the loss of an instance lies below that of the task, pair by pair.

    An instance's loss is that of content*; a first exact content still carries what its last step left.
    """
    table = study.table("task").set_index("pair")
    found = table.join(pd.Series(answers_in(study, "base"), name="instance"), how="inner")
    below, first = found["instance"] < found["task"], table["first"] < table["task"]
    named, first_named = (", ".join(each.index[~each]) for each in (below, first))
    return [
        Finding(
            "7i task",
            f"answers that cost less after content*, K={K}, than after a task-level prompt and their question",
            [Quantity("", share(below), percent=True)],
            [
                Quantity("nats a token after content*", mean(found["instance"])),
                Quantity("after the task-level prompt", mean(table["task"])),
                Quantity("after its start", mean(table["start"])),
                Quantity("after the question alone", mean(table["question"])),
                Quantity("of pairs that it was found for", mean(table["seen"])),
                *([Quantity(f"not below: {named};", float((~below).sum()), ".0f")] if named else []),
                Quantity("below after the first exact content, too", share(first), percent=True),
                *([Quantity(f"not so: {first_named};", float((~first).sum()), ".0f")] if first_named else []),
            ],
            Answer(
                "Is an answer always likelier after its own content than after a task-level prompt?",
                "yes" if below.all() else "not always",
                "yes if it is so of every pair; a content has seen its answer, the prompt others with other contexts",
            ),
        )
    ]


def task_question(config: StudyConfig) -> Question:
    """The pairs until exact, which sharing makes, and content*, which success makes."""
    return Question(tables=[Table("task", beside_task, [true_part(K)])], findings=[(["task"], instance_below_task)])
