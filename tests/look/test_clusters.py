"""Features, clusters and comparisons with chance, on points whose structure is known."""

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from dcm_helpers.errors import InputError
from dcm_helpers.look import (
    cluster_labels,
    features,
    label_tests,
    nearest_by_cosine,
    neighbor_agreement,
    plane,
    same_against_other,
)
from dcm_helpers.look.clusters import (
    SMALLEST_CLUSTER,
    SUMMARIES,
    distances_between,
    nearest_others,
    neighbor_accuracy,
    silhouette,
)

LABELS = ["a", "b", "c"] * 12


def planted(seed=0):
    """Three clouds of 12 points in 6 dimensions, far apart, in the order of LABELS."""
    centers = 10 * np.eye(6)[[0, 1, 2] * 12]
    return centers + np.random.default_rng(seed).normal(size=(36, 6))


def by_measure(table):
    return table.set_index("measure")


@pytest.fixture
def contents():
    return torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0)) + 1


def in_other_orders(contents):
    """Every content with its slots in another order of its own."""
    orders = [torch.randperm(4, generator=torch.Generator().manual_seed(seed)) for seed in range(5)]
    assert len({tuple(order.tolist()) for order in orders}) > 1
    return torch.stack([content[order] for content, order in zip(contents, orders, strict=True)])


@pytest.mark.parametrize("before", ["", "directions, "])
def test_slot_order_matters_to_flattened_features_alone(contents, before):
    for kind in SUMMARIES:
        same = np.allclose(features(contents, before + kind), features(in_other_orders(contents), before + kind))
        assert same == (kind != "flattened")
    assert features(contents, f"{before}slot order ignored").shape == (5, 6)


def test_contents_that_differ_in_slot_order_only_are_one_point(contents):
    one = in_other_orders(contents[:1].expand(5, -1, -1))
    assert (features(one, "slot order ignored") == 0).all()
    assert np.abs(features(one)).max() > 0.1


def test_directions_leave_out_the_norms_of_slots(contents):
    scaled = contents * torch.rand(5, 4, 1, generator=torch.Generator().manual_seed(1))
    for kind in SUMMARIES:
        assert np.allclose(
            features(contents, f"directions, {kind}"), features(scaled, f"directions, {kind}"), atol=1e-5
        )
        assert not np.allclose(features(contents, kind), features(scaled, kind), atol=1e-2)


def test_features_are_standardized_and_constant_coordinates_are_zero(contents):
    contents[:, 0, 0] = 0.1
    found = features(contents)
    assert (found[:, 0] == 0).all() and np.allclose(found.mean(0), 0) and np.allclose(found[:, 1:].std(0), 1)
    assert (features(contents[:1], "slot order ignored") == 0).all()
    with pytest.raises(KeyError, match="mean slots"):
        features(contents, "mean slots")


@pytest.mark.parametrize("reduce", ["UMAP", "PCA"])
def test_planted_clusters_are_found(reduce):
    points = planted()
    clusters, method = cluster_labels(points, reduce=reduce)
    assert method == reduce and (cluster_labels(points, reduce=reduce)[0] == clusters).all()
    table = by_measure(label_tests(points, LABELS, clusters, shuffles=200))
    assert table.loc["ARI", "value"] == table.loc["AMI", "value"] == pytest.approx(1)
    assert table.loc[["kNN accuracy", "nearest neighbor agreement"], "value"].tolist() == [1, 1]
    assert table["p"].max() == pytest.approx(1 / 201)
    assert (table["value"] > table["high"]).all() and (table["low"] <= table["chance"]).all()


@pytest.mark.parametrize("of", ["noise", "permuted labels"])
def test_what_is_not_there_is_not_found(of):
    p, inside = [], []
    for seed in range(12):
        random = np.random.default_rng(seed)
        points = planted(seed) if of == "permuted labels" else random.normal(size=(36, 6))
        clusters, _ = cluster_labels(points, reduce="PCA")
        table = by_measure(label_tests(points, list(random.permutation(LABELS)), clusters, shuffles=50, seed=seed))
        p.append(table["p"])
        inside.append((table["low"] <= table["value"]) & (table["value"] <= table["high"]))
    means = np.mean(p, 0)
    assert (means > 0.25).all() and (means[:3] < 0.75).all(), "p-values of unrelated points spread evenly"
    assert (np.mean(inside, 0) >= 0.75).all()


def test_silhouette_is_scikit_learns():
    random = np.random.default_rng(0)
    points = random.normal(size=(40, 5))
    points[7] = points[8] = points[9]
    distances = distances_between(points)
    for count in (2, 5, 25):
        codes = np.unique(random.integers(count, size=40), return_inverse=True)[1]
        assert silhouette(distances, codes) == pytest.approx(silhouette_score(points, codes), abs=1e-9)
    assert np.bincount(codes).min() == 1, "the case needs a label that occurs once"
    assert silhouette(distances, np.zeros(40, int)) == 0 and silhouette(distances, np.arange(40)) == 0


def test_neighbors_vote_and_the_nearest_decides_a_tie():
    distances = distances_between(np.array([[0.0], [1.0], [2.1], [3.3], [9.0]]))
    assert nearest_others(distances, 4)[0].tolist() == [1, 2, 3, 4]
    assert nearest_others(distances, 9).shape == (5, 4)
    one = np.array([[1, 2, 3, 4]])
    votes = {(0, 0, 1, 1): 0, (1, 0, 0, 1): 1, (0, 1, 1, 1): 1, (0, 1, 2, 2): 2}
    for labels, winner in votes.items():
        codes = np.array([winner, *labels])
        assert neighbor_accuracy(one, codes) == (codes == winner).mean()


def test_points_in_no_cluster_are_clusters_of_their_own():
    points, labels = planted()[:8], list("aabbccdd")
    noise, alone, none = (
        by_measure(label_tests(points, labels, np.array(clusters), shuffles=20))
        for clusters in ([0, 0, 1, 1, -1, -1, -1, -1], [0, 0, 1, 1, 2, 3, 4, 5], [-1] * 8)
    )
    assert noise.equals(alone) and 0 < noise.loc["ARI", "value"] < 1
    assert none.loc["ARI", "value"] == 0 and none.loc[["ARI", "AMI"], "p"].tolist() == [1, 1]


def test_distances_within_groups_are_compared_with_distances_between():
    """By hand: 1 within, and (10 + 20 + 9 + 19 + 10) / 5 between; points without a group are other to each other."""
    line = np.array([[0.0], [1.0], [10.0], [20.0]])
    assert same_against_other(line, ["a", "a", "", ""])["ratio"] == pytest.approx(1 / 13.6)
    assert same_against_other(line, ["a", "a", "b", "c"]) == same_against_other(line, ["a", "a", "", ""])
    found = same_against_other(planted(), LABELS, shuffles=200)
    assert found["ratio"] < found["low"] < found["chance"] < found["high"] and found["p"] == pytest.approx(1 / 201)
    assert found["chance"] == pytest.approx(1, abs=0.05)
    noise = [same_against_other(np.random.default_rng(seed).normal(size=(36, 6)), LABELS, 100) for seed in range(20)]
    assert 0.3 < np.mean([each["p"] for each in noise]) < 0.7
    same = np.repeat(np.random.default_rng(0).normal(size=(9, 6)), 4, axis=0)
    assert same_against_other(same, [str(index // 4) for index in range(36)], 100)["ratio"] == 0


@pytest.mark.parametrize("groups", [["a", "b", ""], ["a", "a", "a"]])
def test_without_both_kinds_of_distances_there_is_no_ratio(groups):
    found = same_against_other(planted()[:3], groups)
    assert found["p"] == 1 and np.isnan([found[name] for name in ("ratio", "chance", "low", "high")]).all()


@pytest.mark.parametrize("count", range(1, 7))
def test_small_sets_do_no_harm(count):
    points, labels = planted()[:count], LABELS[:count]
    for reduce in ("UMAP", "PCA"):
        clusters, method = cluster_labels(points, reduce=reduce)
        assert clusters.shape == (count,) and method == (reduce if count >= SMALLEST_CLUSTER else "PCA")
        table = label_tests(points, labels, clusters, shuffles=20)
        assert np.isfinite(table.drop(columns="measure").to_numpy()).all()
    assert plane(points)[0].shape == (count, 2)
    assert 0 <= neighbor_agreement(points, labels, shuffles=20)["agreement"] <= 1
    assert 0 < same_against_other(points, labels, shuffles=20)["p"] <= 1


def test_neighbors_of_one_label_are_found_and_chance_is_not():
    random = np.random.default_rng(0)
    labels = ["a", "b", "c"] * 10
    centers = {"a": 0.0, "b": 5.0, "c": 10.0}
    grouped = np.array([[centers[label], 0.0] for label in labels]) + random.normal(size=(30, 2))
    assert neighbor_agreement(grouped, labels)["agreement"] > 0.8
    assert neighbor_agreement(grouped, labels)["p"] < 0.01
    chance = [neighbor_agreement(random.normal(size=(30, 2)), labels, seed=seed)["p"] for seed in range(20)]
    assert 0.2 < np.mean(chance) < 0.8, "p-values of unrelated points spread evenly"
    assert neighbor_agreement(grouped[:1], labels[:1]) == {"agreement": 0.0, "chance": 0.0, "p": 1.0}


def test_features_are_standardized_and_small_sets_are_drawn_by_principal_components():
    contents = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    flat, mean = features(contents), features(contents, "mean slot")
    assert flat.shape == (4, 15) and mean.shape == (4, 5)
    assert np.allclose(flat.mean(0), 0) and np.allclose(flat.std(0), 1)
    for count in (1, 2, 3, 4):
        places, method = plane(flat[:count])
        assert places.shape == (count, 2) and method == "PCA" and np.isfinite(places).all()
    with pytest.raises(InputError, match="no contents"):
        plane(flat[:0])


def test_nearest_by_cosine_is_found_in_blocks(monkeypatch):
    """As comparing all with all finds them, the nearest first, whatever the block; zeros are near nothing."""
    monkeypatch.setattr("dcm_helpers.look.clusters.POINTS_AT_ONCE", 4)
    points = np.random.default_rng(0).normal(size=(11, 5))
    points[3] = 0
    units = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    cosines = units @ units.T - 2 * np.eye(11)
    nearest, found = nearest_by_cosine(points, 3)
    others = np.delete(np.arange(11), 3)
    assert (nearest[others] == cosines[others].argsort(1)[:, ::-1][:, :3]).all()
    assert found == pytest.approx(np.take_along_axis(cosines, nearest, 1), abs=1e-6)
    assert nearest_by_cosine(points[:2], 5)[0].tolist() == [[1], [0]]
    assert nearest_by_cosine(points[:1], 5)[0].shape == (1, 0)


def test_what_strata_explain_is_chance():
    """Types that are first words lie together, but not beyond first words; types within words do."""
    random = np.random.default_rng(0)
    words = np.repeat(["who", "when", "how"], 24)
    found = np.zeros(72, int)

    def p(types, places, within):
        points = places + random.normal(scale=0.3, size=(72, 2))
        tests = label_tests(points, list(types), found, shuffles=200, within=within).set_index("measure")
        return tests.loc["kNN accuracy", "p"]

    of_words = np.repeat([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]], 24, axis=0)
    mostly = np.where(random.random(72) < 0.8, words, random.permutation(words))
    assert p(mostly, of_words, []) < 0.01
    assert np.mean([p(mostly, of_words, list(words)) < 0.05 for _ in range(10)]) <= 0.3
    halves = np.tile(["a", "b"], 36)
    beside = of_words + np.where(halves == "a", 0.0, 1.5)[:, None]
    assert p(halves, beside, list(words)) < 0.01
