"""The Generator: a frozen causal language model that reads the STM, with the project's text conventions.

The conventions are the same for every Generator and are recorded in each run:

* A BOS token stands before the STM if, and only if, the Generator's own tokenizer puts one before text.
* A target is the raw text, with no space put before it, tokenized on its own and followed by the tokenizer's EOS.
* A prompt made of text (baselines only) uses the tokenizer's chat template where it has one, and otherwise the text
  followed by a one-word cue on a line of its own.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dcm_helpers.config import require
from dcm_helpers.shapes import Float, Int, Tensor

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
    def content_dtype(self) -> torch.dtype:
        """Precision of contents and optimizer state: float32, or float64 for a float64 Generator."""
        return torch.promote_types(torch.float32, self.dtype)

    @property
    def width(self) -> int:
        """Embedding width D."""
        return self.model.get_input_embeddings().weight.shape[1]

    @property
    def window(self) -> int:
        """Longest row, in positions, that the Generator was built for."""
        return self.model.config.get_text_config().max_position_embeddings

    @property
    def ordinary_ids(self) -> tuple[int, set[int]]:
        """How many token ids have both a text and an embedding, and which of them are special tokens."""
        rows = self.model.get_input_embeddings().weight.shape[0]
        special = {index for index, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        return min(len(self.tokenizer), rows), special

    @property
    def prompt_format(self) -> str:
        """How a prompt made of text is wrapped: 'chat template' or 'plain'."""
        return "chat template" if self.tokenizer.chat_template else "plain"

    @torch.no_grad()
    def embed(self, ids: Int[Tensor, "..."]) -> Float[Tensor, "... D"]:
        """Embeddings of token ids by the Generator's own module, which may scale its rows (Gemma does)."""
        return self.model.get_input_embeddings()(ids.to(self.device))

    def head_reads(self, select: Callable[[Float[Tensor, "N L D"]], Float[Tensor, "M D"]]) -> AbstractContextManager:
        """While this lasts, the output head computes logits for selected states alone, as one matrix product.

        Whatever capping and scaling the Generator applies to its logits stays in place. Without it, a slice of states
        is multiplied row by row, on a CPU with a copy of the head's weights for each.
        """
        return self.model.get_output_embeddings().register_forward_pre_hook(lambda _, states: (select(states[0]),))

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of raw text; markup such as '<|im_end|>' inside it is text, never a special token."""
        return tuple(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def target_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a target: its text, then EOS."""
        return (*self.text_ids(text), self.eos_id)

    def text(self, ids: tuple[int, ...] | list[int]) -> str:
        """Text of token ids, without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def mode_id(self, word: str) -> int:
        """Token id of a mode word.

        Raises:   InputError unless the word is exactly one token of this Generator
        """
        ids = self.text_ids(word)
        require(
            len(ids) == 1,
            f"mode word {word!r} is {len(ids)} tokens for {self.name}; expected a word of one token, for instance 'Q'",
        )
        return ids[0]

    def prompt_ids(self, text: str, cue: str) -> tuple[int, ...]:
        """Token ids of a prompt made of text, ready to be continued by a target.

        Args:     text  what a user would write; cue  the word that asks for the target where there is no chat template
        """
        if not self.tokenizer.chat_template:
            return self.bos_ids + self.text_ids(f"{text}\n{cue}:\n")
        prompt = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False, enable_thinking=False
        )
        if prompt.endswith("<think>\n"):  # a reasoning template that opens a thought; the target is none, so close it
            prompt += "\n</think>\n\n"
        return tuple(self.tokenizer(prompt, add_special_tokens=False)["input_ids"])

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
