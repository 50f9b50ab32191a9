"""A problem's rows taken apart for looking at: what stands at every position, and what it must predict."""

import pandas as pd
import torch

from dcm_helpers.generator import Generator, token_text
from dcm_helpers.stm.layout import lay_out, view_rows
from dcm_helpers.stm.problem import Problem


def row_positions(generator: Generator, problem: Problem, K: int) -> pd.DataFrame:
    """Every position of a problem's rows as they are laid out for one forward pass, one row per view.

    Returns:  columns view, position, part ('padding', 'BOS', 'mode', 'content', 'given', 'target'), token (its text),
              attended (whether the mask lets others read it), predicts (text of the target token that is scored there,
              else '')
    """
    rows = view_rows(generator, [problem])
    layout = lay_out(generator, rows, K)
    first_scored = layout.attention_mask.shape[1] - layout.target_ids.shape[1]
    table = []
    for index, (view, row) in enumerate(zip(problem.views, rows, strict=True)):
        attended = layout.attention_mask[index].bool().tolist()
        start = attended.index(True)
        parts = [
            *[("BOS", token) for token in generator.bos_ids],
            *[("mode", token) for token in view.mode_ids],
            *[("content", f"c{slot + 1}") for slot in range(K)],
            *[("given", token) for token in row.given_ids],
            *[("target", token) for token in row.target_ids[:-1]],
        ]
        for position, reads in enumerate(attended):
            part, token = parts[position - start] if reads else ("padding", "")
            place = position - first_scored
            scored = 0 <= place < len(row.target_ids)
            table.append(
                {
                    "view": view.name,
                    "position": position,
                    "part": part,
                    "token": token if isinstance(token, str) else token_text(generator, token),
                    "attended": reads,
                    "predicts": token_text(generator, row.target_ids[place]) if scored else "",
                }
            )
    return pd.DataFrame(table)


def attention_matrix(generator: Generator, problem: Problem, K: int, view: int) -> pd.DataFrame:
    """Who may read whom in one view's row: 1 where the row's position (index) attends to another (column)."""
    layout = lay_out(generator, view_rows(generator, [problem]), K)
    attended = layout.attention_mask[view].bool()
    causal = torch.ones(len(attended), len(attended), dtype=torch.bool, device=attended.device).tril()
    return pd.DataFrame((causal & attended & attended[:, None]).int().cpu().numpy())
