"""What a decoded text is worth beside its target: SQuAD's exact match and F1, clean stop, repetition."""

import re
import string
from collections import Counter
from collections.abc import Sequence

REPEATED_NGRAM = 3
REPEATED_SHARE = 0.5
"""A decode is repetitive when more than this share of its 3-grams have occurred before in it."""


def normalize_answer(text: str) -> str:
    """Lower-case, without punctuation, articles and extra white space.

    Source:   the official SQuAD evaluation script (Rajpurkar et al., 2016)
    """
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(decoded: str, target: str) -> bool:
    """Whether two texts are equal after SQuAD's normalization."""
    return normalize_answer(decoded) == normalize_answer(target)


def f1(decoded: str, target: str) -> float:
    """Harmonic mean of precision and recall over normalized words, from 0 to 1.

    Two texts without words are equal (1); one without words shares nothing with the other (0).

    Source:   the official SQuAD 2.0 evaluation script
    """
    decoded_words, target_words = normalize_answer(decoded).split(), normalize_answer(target).split()
    if not decoded_words or not target_words:
        return float(decoded_words == target_words)
    shared = (Counter(decoded_words) & Counter(target_words)).total()
    return 2 * shared / (len(decoded_words) + len(target_words))


def contains_answer(decoded: str, answer: str) -> bool:
    """Whether the answer's normalized words stand in the decode as a run (the key information is present)."""
    answer_words = normalize_answer(answer)
    return bool(answer_words) and f" {answer_words} " in f" {normalize_answer(decoded)} "


def repeated_share(ids: Sequence[int]) -> float:
    """Share of a decode's 3-grams that occurred before in it, from 0 to 1; 0 below three tokens."""
    ngrams = list(zip(*(ids[offset:] for offset in range(REPEATED_NGRAM)), strict=False))
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def degeneration(ids: Sequence[int], eos_id: int) -> str:
    """How a decode is degenerate: 'empty' (EOS at once), 'repetition', 'no_stop' (no EOS in time), or '' if not."""
    if list(ids) == [eos_id]:
        return "empty"
    if repeated_share(ids) > REPEATED_SHARE:
        return "repetition"
    return "" if ids and ids[-1] == eos_id else "no_stop"
