"""Task: is an answer likelier after a content of its own than after a prompt for the whole task and its question?"""

import pandas as pd

from dcm_helpers.inquiry import Answer, Finding, K, Question, Study, StudyConfig, Table, settings, true_part
from dcm_helpers.learned import task_losses
from dcm_helpers.stats import Quantity, mean, share

STEPS = 100
"""Updates of a task-level prompt."""


def beside_task(study: Study) -> pd.DataFrame:
    """What answers cost after their first exact content, and after a task-level prompt that never saw them.

    Returns:  one row for each pair: columns pair, instance and task, in nats a token, EOS included
    """
    records, pairs = study.records(true_part(K)), study.run(true_part(K)).pairs
    prompt = settings(study.config, num_steps=STEPS)
    losses = task_losses(study.generator, [pairs[record["pair"]] for record in records], prompt)
    rows = [
        {"pair": record["pair"], "instance": view["loss"], "task": losses[record["pair"]]["loss"]}
        for record in records
        for view in record["views"]
        if view["kind"] == "answer"
    ]
    return pd.DataFrame(rows)


def instance_below_task(study: Study) -> list[Finding]:
    """The mission's assertion that the loss of an instance lies below that of the task, pair by pair."""
    table = study.table("task")
    below = table["instance"] < table["task"]
    named = ", ".join(table["pair"][~below])
    return [
        Finding(
            "7i task",
            f"answers that cost less after their content, K={K}, than after a task-level prompt and their question",
            [Quantity("", share(below), percent=True)],
            [
                Quantity("nats a token after the content", mean(table["instance"])),
                Quantity("after the task-level prompt", mean(table["task"])),
                *([Quantity(f"not below: {named};", float((~below).sum()), ".0f")] if named else []),
            ],
            Answer(
                "Is an answer always likelier after its own content than after a task-level prompt?",
                "yes" if below.all() else "not always",
                "yes if it is so of every pair; the prompt was found for other pairs",
            ),
        )
    ]


def task_question(config: StudyConfig) -> Question:
    """The pairs until exact, which sharing makes."""
    return Question(tables=[Table("task", beside_task, [true_part(K)])], findings=[(["task"], instance_below_task)])
