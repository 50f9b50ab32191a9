"""What a Diffuser reads of a pair: embeddings and states of the frozen Generator at the tokens of a text.

States tell what matters there, knowing the question; embeddings tell plainly which token it is.
"""

from collections.abc import Sequence

import torch

from dcm_helpers.config import Reads
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator, blocks_of
from dcm_helpers.pairs import Pair
from dcm_helpers.shapes import Bool, Float, Tensor
from dcm_helpers.stm import Row, for_each_row, lay_out

States = Float[Tensor, "X Y"]
"""What is read of one condition: X positions of width Y, which is D for embeddings alone and 2 D with states."""


class Reached(Exception):
    """The layer whose states are wanted was computed: nothing after it is needed."""

    def __init__(self, states: Float[Tensor, "N L Y"]):
        self.states = states


def condition_ids(generator: Generator, pair: Pair, reads: Reads) -> tuple[int, ...]:
    """Token ids of a condition: the question, and after it the passage or, as an upper bound, the answer.

    The question comes first, since a causal Generator then reads the passage knowing what is asked: of eight facts, a
    linear map of its states at layer 16 picks the asked one in 98 % (SmolLM2; results/MEASUREMENTS.md).

    Raises:   InputError if the passage is to be read and the pair has none
    """
    lacks = reads == "passage" and not pair.context
    require(
        not lacks,
        f"pair {pair.id!r} has no context, which is to be read; give it one (ask: --context FILE), or train a Diffuser "
        "with --reads question",
    )
    after = {"question": "", "passage": f"\n{pair.context}", "pair": f"\n{pair.answer}"}[reads]
    return generator.bos_ids + generator.text_ids(pair.question + after)


@torch.no_grad()
def states_of(generator: Generator, ids: Sequence[tuple[int, ...]], depth: float) -> list[States]:
    """Embeddings of token rows, and beside them states after a share of the Generator's layers; 0 gives no states.

    They are in bfloat16 on the CPU. Blocks after that share are not computed.

    Raises:   InputError if a row is longer than its window
    """
    longest = max(map(len, ids), default=0)
    require(longest <= generator.window, f"a condition has {longest} tokens; {generator.name} reads {generator.window}")
    layer = round(depth * len(blocks_of(generator.model))) if depth else 0
    if not layer:
        return [generator.embed(torch.tensor(row)).to("cpu", torch.bfloat16) for row in ids]

    def leave(_module: torch.nn.Module, _read: tuple, output: Tensor | tuple) -> None:
        raise Reached(output if isinstance(output, Tensor) else output[0])

    def of_group(group: list[int]) -> list[States]:
        layout = lay_out(generator, [rows[index] for index in group], 0)
        embedded = layout.embeddings(None)
        try:
            generator.model(
                inputs_embeds=embedded,
                attention_mask=layout.attention_mask,
                position_ids=layout.position_ids,
                use_cache=False,
            )
        except Reached as reached:
            states = torch.cat([embedded, reached.states], 2).to("cpu", torch.bfloat16)
            return [row[told] for row, told in zip(states, layout.attention_mask.bool().cpu(), strict=True)]
        raise AssertionError("a block that was called did not tell")

    rows = [Row(row, None, (), ()) for row in ids]
    hook = blocks_of(generator.model)[layer - 1].register_forward_hook(leave)
    try:
        return for_each_row(rows, 0, of_group)
    finally:
        hook.remove()


def together(conditions: Sequence[States], device: torch.device) -> tuple[Float[Tensor, "B X Y"], Bool[Tensor, "B X"]]:
    """Conditions side by side in float32, padded on the right, and which of their positions are there."""
    lengths = torch.tensor([len(each) for each in conditions])
    padded = torch.nn.utils.rnn.pad_sequence([each.float() for each in conditions], batch_first=True)
    told = torch.arange(padded.shape[1]) < lengths[:, None]
    return padded.to(device), told.to(device)
