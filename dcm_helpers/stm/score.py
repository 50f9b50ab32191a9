"""How well rows predict their targets: aligned logits, and their scores.

:func:`target_logits` is the only place in the project where logits are shifted against targets.
"""

from collections.abc import Sequence

import torch

from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents, Float, Logits, Tensor
from dcm_helpers.stm.layout import Layout, Row, for_each_row, lay_out
from dcm_helpers.stm.losses import Scores, TokenLosses


def target_logits(generator: Generator, layout: Layout, contents: Contents | None) -> Logits:
    """Logits aligned to the targets: entry m scores the m-th target token, in the order of ``layout.target_rows``.

    The position before a token predicts it, so the prefix's last position (P - 1) predicts target token 0. The last
    target token is never read, so the targets are predicted at exactly the last T positions of a row; logits are
    computed there alone, padding left out, by the Generator's own head with whatever capping and scaling it applies.
    """

    def at_targets(states: Float[Tensor, "N T D"]) -> Float[Tensor, "M D"]:
        device = states.device  # another GPU than the embeddings', if the Generator is sharded
        states = states[:, -layout.target_ids.shape[1] :]  # some Generators compute all, whatever is to be kept
        return states[layout.target_rows.to(device), layout.target_columns.to(device)]

    with generator.head_reads(at_targets):
        output = generator.model(
            inputs_embeds=layout.embeddings(contents),
            attention_mask=layout.attention_mask,
            position_ids=layout.position_ids,
            logits_to_keep=layout.target_ids.shape[1],
            use_cache=False,
        )
    return output.logits.to(generator.device)


def scored(logits: Logits, layout: Layout) -> Scores:
    """Score aligned logits against the targets, in float32 or better."""
    nll, wins = TokenLosses.apply(logits, layout.targets)
    places = layout.target_rows, layout.target_columns
    return Scores(
        nll=nll.new_zeros(layout.target_mask.shape).index_put(places, nll),
        correct=torch.ones_like(layout.target_mask).index_put(places, wins),
        mask=layout.target_mask,
    )


@torch.no_grad()
def score_rows(generator: Generator, rows: Sequence[Row], contents: Contents | None, K: int) -> list[dict[str, float]]:
    """Score any number of rows without gradients, in groups of similar length.

    Returns:  for each row, in order: ``loss`` and ``loss_text`` in nats per token, ``first`` in nats, ``p_eos``,
              ``min_p``, ``teacher_forced_exact``
    """
    names = ("loss", "loss_text", "first", "p_eos", "min_p", "teacher_forced_exact")

    def score_group(group: list[int]) -> list[dict[str, float]]:
        layout = lay_out(generator, [rows[index] for index in group], K)
        scores = scored(target_logits(generator, layout, contents), layout)
        columns = [getattr(scores, name).tolist() for name in names]
        return [dict(zip(names, numbers, strict=True)) for numbers in zip(*columns, strict=True)]

    return for_each_row(rows, K, score_group)
