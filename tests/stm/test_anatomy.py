"""A row taken apart."""

import numpy as np

from dcm_helpers.stm import attention_matrix, row_positions


def test_every_target_token_is_scored_at_the_position_before_it(tiny, problems):
    problem, K = problems[0], 8
    table = row_positions(tiny, problem, K)
    for index, view in enumerate(problem.views):
        row = table[table["view"] == view.mode].reset_index()
        scored = row[row["predicts"] != ""]
        assert len(scored) == len(view.target_ids) and scored.iloc[-1]["predicts"] == "⏎"
        assert scored.iloc[0]["token"] == f"c{K}"
        read = row[row["part"] == "target"]["token"].tolist()
        assert read == scored["predicts"].tolist()[:-1], "what is predicted is read at the next position"
        mask = attention_matrix(tiny, problem, K, index).to_numpy()
        assert (mask.sum(1) == row["attended"] * row["attended"].cumsum()).all()
        assert (np.triu(mask, 1) == 0).all()
