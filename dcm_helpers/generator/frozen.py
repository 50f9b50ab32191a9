"""The Generator: a frozen causal language model that reads the STM, with the project's text conventions.

The conventions are the same for every Generator and are recorded in each run:

* A BOS token stands before the STM if, and only if, the Generator's own tokenizer puts one before text.
* A target is the raw text, with no space put before it, tokenized on its own and followed by the tokenizer's EOS.
* A prompt made of text (baselines only) uses the tokenizer's chat template where it has one, and otherwise the text
  followed by a one-word cue on a line of its own.
"""

import hashlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dcm_helpers.errors import require
from dcm_helpers.generator.template import around_user_text
from dcm_helpers.markup import half_a_character
from dcm_helpers.shapes import Float, Int, Tensor

WINDOWS = ("max_position_embeddings", "max_seq_len", "n_positions")
"""What configurations call the longest row."""
FINGERPRINT_SAMPLE = 4096
"""Elements of each weight tensor that enter the fingerprint."""


@dataclass(frozen=True)
class Generator:
    """A frozen causal language model with its tokenizer and text conventions."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    bos_ids: tuple[int, ...]
    """What stands before every STM: one BOS token, or nothing."""
    eos_id: int
    positions_at_once: int = 512
    """The largest group of rows that is computed at once, in positions: enough to keep the device busy, and few enough
    that rows of similar length find each other."""
    seconds_a_position: float | None = None
    """Of all blocks, forward and back, as this machine was measured; None where it was not."""
    masks_cached: bool = True
    """Whether a step after cached ones is told which of these were padding; recurrent Generators must not be."""

    @property
    def device(self) -> torch.device:
        """Where the input embeddings live, hence where contents live."""
        return self.model.get_input_embeddings().weight.device

    @property
    def device_names(self) -> list[str]:
        """The devices that hold the weights, with the names of the GPUs among them."""
        devices = sorted({parameter.device for parameter in self.model.parameters()}, key=str)
        return [f"{d} ({torch.cuda.get_device_name(d)})" if d.type == "cuda" else str(d) for d in devices]

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the Generator's weights and activations."""
        return self.model.dtype

    @property
    def precision(self) -> str:
        """The name of its dtype, as settings have it."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def attention(self) -> str:
        """The name of the attention kernel."""
        return self.model.config._attn_implementation

    @property
    def content_dtype(self) -> torch.dtype:
        """Precision of contents and optimizer state: float32, or float64 for a float64 Generator."""
        return torch.promote_types(torch.float32, self.dtype)

    @property
    def width(self) -> int:
        """Embedding width D."""
        return self.model.get_input_embeddings().weight.shape[1]

    @property
    def rows(self) -> int:
        """Token ids below this have an embedding."""
        return self.model.get_input_embeddings().weight.shape[0]

    @property
    def window(self) -> int:
        """Longest row, in positions, that the Generator was built for; without bound where it names none."""
        config = self.model.config.get_text_config()
        return next((getattr(config, name) for name in WINDOWS if getattr(config, name, None)), sys.maxsize)

    @property
    def ordinary_ids(self) -> tuple[int, set[int]]:
        """How many token ids have both a text and an embedding, and which of them are special tokens."""
        special = {index for index, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        return min(len(self.tokenizer), self.rows), special

    @property
    def prompt_format(self) -> str:
        """How a prompt made of text is wrapped: 'chat template' or 'plain'."""
        return "chat template" if self.tokenizer.chat_template else "plain"

    @torch.no_grad()
    def embed(self, ids: Int[Tensor, "..."]) -> Float[Tensor, "... D"]:
        """Embeddings of token ids by the Generator's own module, which may scale its rows (Gemma does)."""
        return self.model.get_input_embeddings()(ids.to(self.device))

    @cached_property
    def vocabulary(self) -> Float[Tensor, "W D"]:
        """Embeddings of all tokens that the output head knows, in the precision of contents; made once, and kept."""
        count = self.model.get_output_embeddings().weight.shape[0]
        return self.embed(torch.arange(count)).detach().to(self.content_dtype)

    def head_reads(self, select: Callable[[Float[Tensor, "N L D"]], Float[Tensor, "M D"]]) -> AbstractContextManager:
        """While this lasts, the output head computes logits for selected states alone, as one matrix product.

        Whatever capping and scaling the Generator applies to its logits stays in place. Without it, a slice of states
        is multiplied row by row, on a CPU with a copy of the head's weights for each.
        """
        return self.model.get_output_embeddings().register_forward_pre_hook(lambda _, states: (select(states[0]),))

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of raw text; markup such as '<|im_end|>' inside it is text, never a special token.

        Raises:   InputError if it holds half of a character
        """
        half = half_a_character(text)
        require(half is None, f"{text!r} holds {half!r}, half of a character, which no tokenizer reads")
        return tuple(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def target_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a target: its text, then EOS."""
        return (*self.text_ids(text), self.eos_id)

    def text(self, ids: tuple[int, ...] | list[int]) -> str:
        """Text of token ids, without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def why_unwritable(self, text: str) -> str:
        """What keeps a text from being a target: it would be judged by token ids, which must stand for it exactly.

        Returns:  the reason, as what follows 'its answer'; '' where nothing does
        """
        ids = self.text_ids(text)
        if not ids:
            return f"{text!r} has no tokens"
        if max(ids) >= self.rows:
            return f"{text!r} has token {max(ids)}, and there are embeddings for {self.rows}"
        if self.eos_id in ids:
            return f"{text!r} holds {self.tokenizer.eos_token!r}, which ends a target"
        back = self.text(ids)
        return f"{text!r} comes back from its tokens as {back!r}" if back != text else ""

    def mode_id(self, word: str) -> int:
        """Token id of a mode word.

        Raises:   InputError unless the word is exactly one token of this Generator
        """
        ids = self.text_ids(word)
        require(
            len(ids) == 1,
            f"mode word {word!r} is {len(ids)} tokens for {self.name}; expected a word of one token, for instance 'Q'",
        )
        require(ids[0] != self.eos_id, f"mode word {word!r} ends every text of {self.name}; use another word")
        return ids[0]

    def prompt_ids(self, text: str, cue: str) -> tuple[int, ...]:
        """Token ids of a prompt made of text, ready to be continued by a target.

        Args:     text  what a user would write; cue  the word that asks for the target where there is no chat template
        Raises:   InputError if the chat template cannot be used, or a token has no embedding
        """
        if not self.tokenizer.chat_template:
            ids = self.bos_ids + self.text_ids(f"{text}\n{cue}:\n")
        else:
            before, after = self._around_user_text
            if any(token.content in text for token in self.tokenizer.added_tokens_decoder.values()):
                # apart from the template, whose control tokens are meant: in the text of a user they are text
                ids = (*self._control_ids(before), *self.text_ids(text), *self._control_ids(after))
            else:
                ids = self._control_ids(before + text + after)
        require(max(ids) < self.rows, f"{self.name} has no embedding for token {max(ids)}, which a prompt needs")
        return ids

    def _control_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text in which markup such as '<|im_end|>' is meant."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @cached_property
    def _around_user_text(self) -> tuple[str, str]:
        """What the chat template puts before and after the text of a user; it is asked once."""
        return around_user_text(self.name, self.tokenizer)

    def fingerprint(self) -> str:
        """SHA-256 over every weight's name, shape, type and an even sample of its elements.

        It tells checkpoints and precisions apart in a moment even at 7B; it is no proof against tampering.
        """
        digest = hashlib.sha256()
        for name, weight in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
            stride = max(1, weight.numel() // FINGERPRINT_SAMPLE)
            digest.update(weight.flatten()[::stride].cpu().double().numpy().tobytes())
        return digest.hexdigest()
