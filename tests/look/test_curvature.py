"""Curvature: Lanczos against matrices with known eigenvalues, products against differences of gradients."""

from functools import partial

import pytest
import torch

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.generator import load_generator
from dcm_helpers.generator.layers import blocks_of
from dcm_helpers.look import extreme_eigenvalues, losses_at
from dcm_helpers.look.curvature import eager_attention, hessian_vector_product, lanczos, objective
from dcm_helpers.stm import initial_content, joint_problems


def with_eigenvalues(values):
    """A symmetric matrix with these eigenvalues, in random directions."""
    noise = torch.randn(len(values), len(values), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    directions = torch.linalg.qr(noise).Q
    return directions @ torch.tensor(values, dtype=torch.float64).diag() @ directions.T


@pytest.fixture(scope="module")
def problem(tiny64, pairs):
    (problem,) = joint_problems(tiny64, pairs[:1])
    return problem


@pytest.fixture(scope="module")
def content(tiny64, problem):
    return initial_content(tiny64, problem, 4, "tokens", 0, 0)


def test_full_iteration_finds_every_eigenvalue():
    values = [-2.0, -1.0, *(0.1 * index for index in range(1, 27)), 40.0, 100.0]
    matrix = with_eigenvalues(values)
    found = lanczos(lambda vector: matrix @ vector, 30, 99, "all")
    assert found.values.tolist() == pytest.approx(values, abs=1e-9)
    assert found.errors.max() < 1e-6


def test_few_steps_find_the_outermost_eigenvalues_and_bound_the_others():
    values = sorted([-3.0, 5.0, 10.0, *torch.linspace(0, 1, 197).tolist()])
    matrix = with_eigenvalues(values)
    found = lanczos(lambda vector: matrix @ vector, 200, 25, "few")
    assert found.values[-2:].tolist() == pytest.approx([5.0, 10.0], abs=1e-6)
    assert found.values[0].item() == pytest.approx(-3.0, abs=1e-6)
    assert found.errors[[0, -2, -1]].max() < 1e-4, "what has been found is known to be"
    nearest = (found.values[:, None] - torch.tensor(values)).abs().min(1).values
    assert (nearest <= found.errors + 1e-9).all() and found.errors.max() > 1e-3
    assert (found.values > 1.001).sum() == 2, "no eigenvalue appears again once it has been found"
    again = lanczos(lambda vector: matrix @ vector, 200, 25, "few")
    assert torch.equal(found.values, again.values)
    assert not torch.equal(found.values, lanczos(lambda vector: matrix @ vector, 200, 25, "other").values)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_iteration_ends_when_nothing_is_left_to_find(dtype):
    matrix = with_eigenvalues([1.0] * 20 + [2.0] * 20 + [7.0] * 10).to(dtype)
    found = lanczos(lambda vector: matrix @ vector.to(dtype), 50, 40, "repeated")
    assert found.values.tolist() == pytest.approx([1.0, 2.0, 7.0], abs=1e-5)
    assert found.errors.max() < 1e-4
    assert lanczos(torch.zeros_like, 50, 40, "zero").values.tolist() == [0.0]


def test_gradient_and_products_of_a_quadratic_bowl():
    matrix = with_eigenvalues([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    place, direction = torch.arange(12.0, dtype=torch.float64).view(2, 2, 3)
    gradient, product = hessian_vector_product(lambda at: at.flatten() @ matrix @ at.flatten() / 2, place)
    assert torch.allclose(gradient.flatten(), matrix @ place.flatten())
    for each in (direction, place):
        assert torch.allclose(product(each).flatten(), matrix @ each.flatten()), "one graph serves every product"


def test_objective_is_the_loss(tiny64, problem, content):
    """Up to the attention weights, which eager attention rounds to float32 whatever the Generator's precision."""
    measured = losses_at(tiny64, problem, content[None])["loss"].item()
    assert objective(tiny64, problem, content).item() == pytest.approx(measured, rel=1e-6)


def test_attention_is_eager_only_meanwhile(tiny64, problem, content, monkeypatch):
    """The fused kernel gives the same gradient, and refuses a second one: that is what the exchange is for."""
    config = tiny64.model.config
    assert config._attn_implementation == "sdpa", "the case needs a Generator with fused attention"
    seen = []
    hook = tiny64.model.register_forward_pre_hook(lambda *_: seen.append(config._attn_implementation))
    eager, _ = hessian_vector_product(partial(objective, tiny64, problem), content)
    hook.remove()
    assert seen == ["eager"] and config._attn_implementation == "sdpa"
    with pytest.raises(ZeroDivisionError), eager_attention(tiny64):
        raise ZeroDivisionError
    assert config._attn_implementation == "sdpa"
    monkeypatch.setattr(tiny64.model, "set_attn_implementation", lambda _: None)
    fused, product = hessian_vector_product(partial(objective, tiny64, problem), content)
    assert (fused - eager).norm() < 1e-5 * eager.norm()
    with pytest.raises(RuntimeError, match="not implemented"):
        product(content)


def test_eager_and_compiled_generators_are_left_as_they_are(problem, content):
    generator = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float64"))
    generator.model.set_attn_implementation("eager")
    for block in blocks_of(generator.model):
        block.compile(backend=lambda *_: pytest.fail("a block was compiled"))
    _, product = hessian_vector_product(partial(objective, generator, problem), content)
    assert product(content).isfinite().all()
    assert generator.model.config._attn_implementation == "eager"


def test_products_are_differences_of_gradients(tiny64, problem, content):
    value = partial(objective, tiny64, problem)
    _, product = hessian_vector_product(value, content)
    direction = torch.randn(content.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-4 * direction  # a shorter one loses itself in the float32 of norms and attention weights
    above, below = (hessian_vector_product(value, at)[0] for at in (content + step, content - step))
    curved = product(direction)
    assert ((above - below) / 2e-4 - curved).norm() < 3e-4 * curved.norm()
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in tiny64.model.parameters())


def test_extreme_eigenvalues_are_those_of_the_whole_hessian(tiny64, problem):
    content = initial_content(tiny64, problem, 1, "tokens", 0, 0)
    gradient, product = hessian_vector_product(partial(objective, tiny64, problem), content)
    unit = torch.eye(content.numel(), dtype=torch.float64)
    hessian = torch.stack([product(row.view_as(content)).flatten() for row in unit])
    assert (hessian - hessian.T).norm() < 1e-5 * hessian.norm()
    values = torch.linalg.eigvalsh((hessian + hessian.T) / 2)
    found = extreme_eigenvalues(tiny64, problem, content, steps=60)
    assert found["top"] == pytest.approx(values.flip(0)[:3].tolist(), rel=1e-5)
    assert found["lowest"] == pytest.approx(values[0].item(), rel=1e-5)
    assert found["gradient_norm"] == pytest.approx(gradient.norm().item())
    assert found["relative"] == pytest.approx(values[-1].item() * content.norm().item() ** 2)
    fewer = extreme_eigenvalues(tiny64, problem, content, steps=8)
    assert fewer["top_error"] > 1e-9
    assert (values - fewer["top"][0]).abs().min() <= fewer["top_error"]
    assert (values - fewer["lowest"]).abs().min() <= fewer["lowest_error"]


def test_relative_curvature_has_no_length(tiny64, problem, content, monkeypatch):
    """The same bowl, wider by a factor, around a content that is longer by the same factor."""
    matrix = with_eigenvalues([float(value) for value in range(content.numel())])
    found = []
    for factor in (1.0, 10.0):

        def bowl(generator, problem, at, factor=factor):
            return (at / factor).flatten() @ matrix @ (at / factor).flatten() / 2

        monkeypatch.setattr("dcm_helpers.look.curvature.objective", bowl)
        found.append(extreme_eigenvalues(tiny64, problem, factor * content, steps=60))
    assert found[0]["top"][0] == pytest.approx(content.numel() - 1, rel=1e-3)
    assert found[1]["top"][0] == pytest.approx(found[0]["top"][0] / 100)
    assert found[1]["relative"] == pytest.approx(found[0]["relative"])
    assert found[0]["relative"] == pytest.approx(found[0]["top"][0] * content.norm(dim=1).mean().item() ** 2)
