"""Words of texts."""

import re


def content_words(text: str) -> set[str]:
    """The words of a text, without those that any text has (scikit-learn's list)."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # slow to import, and rarely needed

    return set(re.findall(r"\w+", text.lower())) - ENGLISH_STOP_WORDS
