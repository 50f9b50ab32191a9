"""How a content is optimized elsewhere, written as plainly as its authors do: for the benchmark and the tests.

Each function starts from given contents and runs until every view is exact under teacher forcing, as our loop does
with the stop rule ``exact``. None of them shares our rows, shift, scores or updates, so that they can judge these.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from dcm_helpers.errors import InputError
from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Content, Contents, Float, Int, Tensor
from dcm_helpers.stm import Problem, View

IGNORED = -100
"""Hugging Face's mark for positions whose token is not scored."""
MakeOptimizer = Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer]


def cramming_adamw(parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of Cramming 1568 Tokens into a Single Vector (Kuratov et al., ACL 2025)."""
    return torch.optim.AdamW(parameters, lr=0.01, betas=(0.9, 0.9), weight_decay=0.01)


def peft_adamw(parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of PEFT's own prompt-tuning example: AdamW at lr 0.03."""
    return torch.optim.AdamW(parameters, lr=0.03)


@dataclass(frozen=True)
class Outcome:
    """What became of one problem."""

    teacher_forced_exact: bool
    """Whether every view became exact under teacher forcing."""
    steps_to_exact: int
    """Updates before the first exact content, or all that were allowed."""
    evaluations: int
    """Forward and backward passes that were computed for it, those after it was exact included."""
    content: Content


def one_at_a_time(
    generator: Generator, problem: Problem, initial: Content, make_optimizer: MakeOptimizer, num_steps: int
) -> Outcome:
    """One pair at a time, one forward pass a view, logits at every position (as Kuratov et al., 2025, do)."""
    content = nn.Parameter(initial.clone())
    optimizer = make_optimizer([content])
    for step in itertools.count():
        optimizer.zero_grad()
        exact = True
        for view in problem.views:
            row, target = row_and_target(generator, view, content)
            logits = generator.model(inputs_embeds=row[None], use_cache=False).logits[0, -len(target) :]
            logits = logits.to(generator.content_dtype)
            F.cross_entropy(logits, target).backward()
            exact &= bool((logits.argmax(-1) == target).all())
        if exact or step == num_steps:
            return Outcome(exact, step, step + 1, content.detach())
        optimizer.step()


def static_batch(
    generator: Generator, problems: Sequence[Problem], initial: Contents, make_optimizer: MakeOptimizer, num_steps: int
) -> list[Outcome]:
    """All pairs in one padded batch, logits at every position, until its slowest member is exact."""
    contents = nn.Parameter(initial.clone())
    optimizer = make_optimizer([contents])
    views = [(slot, view) for slot, problem in enumerate(problems) for view in problem.views]
    slots = torch.tensor([slot for slot, _ in views], device=generator.device)
    found: dict[int, tuple[int, Content]] = {}
    for step in range(num_steps + 1):
        optimizer.zero_grad()
        embeddings, mask, labels = padded_rows(generator, views, contents)
        logits = generator.model(inputs_embeds=embeddings, attention_mask=mask, use_cache=False).logits
        logits = logits.to(generator.content_dtype)
        scored = labels != IGNORED
        losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
        (losses.view(labels.shape).sum(1) / scored.sum(1)).sum().backward()
        wrong = ((logits.argmax(-1) != labels) & scored).any(1)
        is_wrong = torch.zeros(len(problems), device=wrong.device).index_add(0, slots, wrong.float())
        for slot, count in enumerate(is_wrong.tolist()):
            if count == 0 and slot not in found:
                found[slot] = (step, contents[slot].detach().clone())
        if len(found) == len(problems) or step == num_steps:
            break
        optimizer.step()
    outcomes = []
    for slot in range(len(problems)):
        steps, content = found.get(slot, (step, contents[slot].detach().clone()))
        outcomes.append(Outcome(slot in found, steps, step + 1, content))
    return outcomes


def peft_prompt_tuning(
    generator: Generator, problem: Problem, initial: Content, make_optimizer: MakeOptimizer, num_steps: int
) -> Outcome:
    """PEFT's prompt tuning (Lester et al., 2021), one adapter a pair; its prompt stands before the mode.

    Raises:   InputError where the package peft is missing
    """
    try:
        from peft import PromptTuningConfig, get_peft_model
    except ImportError as error:
        raise InputError("prompt tuning needs the package peft; install the benchmark extra: .[benchmark]") from error
    configuration = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=len(initial))
    with intact(generator):
        tuned = get_peft_model(generator.model, configuration)
        (parameter,) = [each for each in tuned.parameters() if each.requires_grad]
        assert parameter.shape == initial.shape
        parameter.data.copy_(initial)
        heads = [generator.bos_ids + view.mode_ids + view.given_ids for view in problem.views]
        longest = max(len(head) + len(view.target_ids) for head, view in zip(heads, problem.views, strict=True))
        ids = torch.full((len(heads), longest), generator.eos_id)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
        for index, (head, view) in enumerate(zip(heads, problem.views, strict=True)):
            end = len(head) + len(view.target_ids)
            ids[index, :end] = torch.tensor([*head, *view.target_ids])
            mask[index, :end] = 1
            labels[index, len(head) : end] = torch.tensor(view.target_ids)
        ids, mask, labels = (tensor.to(generator.device) for tensor in (ids, mask, labels))
        optimizer = make_optimizer([parameter])
        for step in itertools.count():
            optimizer.zero_grad()
            output = tuned(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False)
            output.loss.backward()
            predicted = output.logits[:, len(initial) - 1 : -1].argmax(-1)
            exact = bool(((predicted == labels) | (labels == IGNORED)).all())
            if exact or step == num_steps:
                return Outcome(exact, step, step + 1, parameter.detach().clone())
            optimizer.step()


@contextlib.contextmanager
def intact(generator: Generator) -> Iterator[None]:
    """Undo what PEFT does to a model's configuration and methods when it wraps it."""
    kept = dict(generator.model.__dict__)
    try:
        yield
    finally:
        for name in set(generator.model.__dict__) - set(kept):
            del generator.model.__dict__[name]
        generator.model.__dict__.update(kept)


def row_and_target(
    generator: Generator, view: View, content: Content
) -> tuple[Float[Tensor, "L D"], Int[Tensor, " T"]]:
    """One unpadded row [BOS, mode | content | given | target without its last token], and its target."""
    before, after = (
        generator.embed(torch.tensor(ids, dtype=torch.long))
        for ids in (generator.bos_ids + view.mode_ids, view.given_ids)
    )
    target = torch.tensor(view.target_ids, device=generator.device)
    return torch.cat([before, content.to(generator.dtype), after, generator.embed(target[:-1])]), target


def padded_rows(
    generator: Generator, views: Sequence[tuple[int, View]], contents: Contents
) -> tuple[Float[Tensor, "N L D"], Int[Tensor, "N L"], Int[Tensor, "N L"]]:
    """Rows of (slot, view), padded on the right: embeddings, attention mask, the token each position must predict."""
    rows, masks, labels = [], [], []
    for slot, view in views:
        row, target = row_and_target(generator, view, contents[slot])
        rows.append(row)
        masks.append(torch.ones(len(row), dtype=torch.long, device=generator.device))
        labels.append(F.pad(target, (len(row) - len(target), 0), value=IGNORED))
    pad = nn.utils.rnn.pad_sequence
    return pad(rows, True), pad(masks, True), pad(labels, True, IGNORED)
