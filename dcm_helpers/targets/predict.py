"""Contents predicted from conditions by what needs no training of a network: the least that a Diffuser must beat."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dcm_helpers.diffuser import Example, contents_of
from dcm_helpers.errors import require
from dcm_helpers.shapes import Contents, Float

PENALTIES = tuple(10.0**power for power in range(1, 8))
"""Penalties of ridge regression that are tried."""
FOLDS = 5
"""Groups of topics on which a penalty is chosen, each by a fit to the others."""

Predict = Callable[[Sequence[Example], Sequence[Hashable], Sequence[Example]], Contents]
"""Contents for examples, from others with contents and their topics."""


def features(examples: Sequence[Example]) -> Float[np.ndarray, "B F"]:
    """A condition as numbers of one length: the mean of its states, and the last of them."""
    states = [each.condition.double() for each in examples]
    return np.stack([torch.cat([each.mean(0), each[-1]]).numpy() for each in states])


def mean_content(learned: Sequence[Example], _: Sequence[Hashable], asked: Sequence[Example]) -> Contents:
    """The mean of the contents that are known, for all."""
    return contents_of(learned).mean(0).expand(len(asked), -1, -1)


def nearest_pair(learned: Sequence[Example], _: Sequence[Hashable], asked: Sequence[Example]) -> Contents:
    """The content of the pair whose condition is most alike, by cosine of standardized features."""
    scaler = StandardScaler().fit(features(learned))
    known, new = (
        torch.nn.functional.normalize(torch.tensor(scaler.transform(features(each))), dim=1)
        for each in (learned, asked)
    )
    return contents_of(learned)[(new @ known.T).argmax(1)]


def ridge(learned: Sequence[Example], topics: Sequence[Hashable], asked: Sequence[Example]) -> Contents:
    """Ridge regression on features, its penalty chosen on topics that are left out in turn.

    Raises:   InputError if there are not two topics
    """
    groups = len(set(topics))
    require(groups > 1, "a penalty is chosen on topics that are left out, and there is one topic; use more pairs")
    contents = contents_of(learned)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()),
        {"ridge__alpha": PENALTIES},
        cv=GroupKFold(min(FOLDS, groups)),
        scoring="neg_mean_squared_error",
    )
    search.fit(features(learned), contents.flatten(1).double().numpy(), groups=list(topics))
    found = torch.tensor(search.predict(features(asked)))
    return found.reshape(len(asked), *contents.shape[1:]).to(contents.dtype)


PREDICTORS: dict[str, Predict] = {"mean": mean_content, "nearest pair": nearest_pair, "ridge": ridge}
"""By name; the first two know nothing of how a condition becomes a content."""


def predicted(name: str, learned: Sequence[Example], topics: Sequence[Hashable], asked: Sequence[Example]) -> Contents:
    """What a predictor makes of conditions.

    Args:     learned  with contents;  topics  of each of them;  asked  no content of these is looked at
    Raises:   InputError if there is no such predictor, or nothing to learn from
    """
    require(name in PREDICTORS, f"there is no predictor {name!r}; expected one of {', '.join(PREDICTORS)}")
    return PREDICTORS[name](learned, topics, asked)
