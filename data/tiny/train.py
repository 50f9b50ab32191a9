"""Train the tiny Generator that ships in this folder: python data/tiny/train.py (eleven minutes on two CPU cores).

A Generator for tests must have learned to use what stands before a text. So most rows hold something twice, a pair or a
string of random tokens, and the second copy can only be predicted by looking back at the first.
"""

import json
import random
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
EOS = "<eos>"
VOCABULARY = 512
ROW_LENGTH = 192
BATCH = 24
STEPS = 1500
WARMUP = 50
PEAK_LR = 3e-3


def train_tokenizer(pairs: list[dict]) -> PreTrainedTokenizerFast:
    """Byte-level BPE on the texts of the pairs; EOS is its only special token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [pair[field] for pair in pairs for field in ("question", "answer", "context")]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=EOS, pad_token=EOS)


def make_row(pairs: list[list[int]], eos: int) -> list[int]:
    """One training row: a pair twice, a random string twice, or a pair and another one; more until it is full."""
    row: list[int] = []
    while len(row) <= ROW_LENGTH:
        kind = random.random()
        if kind < 0.4:
            first = second = random.choice(pairs)
        elif kind < 0.8:
            first = second = [*random.choices(range(1, VOCABULARY), k=random.randint(2, 48)), eos]
        else:
            first, second = random.sample(pairs, 2)
        row += first + second
    return row[: ROW_LENGTH + 1]


def main() -> None:
    random.seed(0)
    torch.manual_seed(0)
    pairs = [json.loads(line) for line in (HERE.parent / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    tokenizer = train_tokenizer(pairs)
    eos = tokenizer.eos_token_id
    texts = [[*tokenizer(p["question"])["input_ids"], eos, *tokenizer(p["answer"])["input_ids"], eos] for p in pairs]
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=eos,
        pad_token_id=eos,
    )
    model = LlamaForCausalLM(config)
    print(f"{model.num_parameters():,} parameters", file=sys.stderr)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / WARMUP, (STEPS - step) / (STEPS - WARMUP))
    )
    started = time.perf_counter()
    for step in range(1, STEPS + 1):
        rows = torch.tensor([make_row(texts, eos) for _ in range(BATCH)])
        logits = model(input_ids=rows[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            seconds = time.perf_counter() - started
            print(f"step {step}  loss {loss.item():.3f} nats per token  {seconds:.0f} s", file=sys.stderr, flush=True)
    model.half().save_pretrained(HERE)
    tokenizer.save_pretrained(HERE)


if __name__ == "__main__":
    main()
