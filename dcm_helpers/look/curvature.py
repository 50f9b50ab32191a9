"""How sharply a problem's objective curves at a content: its Hessian's extreme eigenvalues, by products alone.

The Hessian over all F = K D coordinates of a content is never built. J counts the steps of Lanczos iteration, each of
which costs one product.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from dcm_helpers.generator import Generator
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content, Float, Tensor
from dcm_helpers.stm import Problem, lay_out, scored, target_logits, view_rows

TOP = 3
"""How many of the largest eigenvalues are reported."""


@contextmanager
def eager_attention(generator: Generator) -> Iterator[None]:
    """While this lasts, the Generator computes attention in plain operations and runs uncompiled.

    Fused attention kernels and compiled blocks have no second derivative. A graph that was built meanwhile keeps its
    derivatives afterwards. Eager attention rounds its weights to float32 at best, in a float64 Generator too.
    """
    before = generator.model.config._attn_implementation
    generator.model.set_attn_implementation("eager")
    try:
        with torch.compiler.set_stance("force_eager"):
            yield
    finally:
        generator.model.set_attn_implementation(before)


def objective(generator: Generator, problem: Problem, content: Content) -> Float[Tensor, ""]:
    """A problem's cross-entropy at a content, in nats per token, summed over views; differentiable twice."""
    layout = lay_out(generator, view_rows(generator, [problem]), len(content))
    with eager_attention(generator):
        return scored(target_logits(generator, layout, content[None]), layout).loss.sum()


def hessian_vector_product(
    value: Callable[[Content], Float[Tensor, ""]], content: Content
) -> tuple[Content, Callable[[Content], Content]]:
    """The gradient of a function at a content, and what multiplies directions with its Hessian there.

    The gradient's graph is built once and held in memory as long as the second of the two is, so that a product costs
    a backward pass through it and no forward pass.

    Args:     value  differentiable twice, and not linear
    Source:   Pearlmutter, Fast Exact Multiplication by the Hessian (Neural Computation, 1994)
    """
    content = content.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(value(content), content, create_graph=True)

    def product(direction: Content) -> Content:
        return torch.autograd.grad(gradient, content, direction, retain_graph=True)[0]

    return gradient.detach(), product


@dataclass(frozen=True)
class Ritz:
    """What Lanczos iteration knows of a symmetric matrix's eigenvalues: the outermost ones become right first."""

    values: Float[Tensor, " J"]
    """Estimated eigenvalues, ascending. An eigenvalue that the matrix has several times appears once."""
    errors: Float[Tensor, " J"]
    """Residual norms: the matrix has an eigenvalue at most this far from the estimate, rounding aside."""


def lanczos(
    product: Callable[[Float[Tensor, " F"]], Float[Tensor, " F"]], size: int, steps: int, *seed: object
) -> Ritz:
    """Lanczos iteration from a seeded random start, every new vector made orthogonal to all before it.

    It ends early where the vectors span a subspace that the matrix does not leave; the estimates are then exact.

    Args:     product  multiplies a float64 vector on the CPU with a symmetric matrix; its result may have any precision
              and device;  size  of the matrix;  steps  products at most, 1 or more
    Source:   Lanczos (1950); error bounds as in Parlett, The Symmetric Eigenvalue Problem (1980); on loss functions of
              networks Ghorbani et al., An Investigation into Neural Net Optimization via Hessian Eigenvalue Density
              (ICML 2019)
    """
    start = torch.randn(size, generator=seeded("lanczos", *seed), dtype=torch.float64)
    basis = start[None] / start.norm()
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(steps, size)):
        image = product(basis[-1])
        rounding = 10 * torch.finfo(image.dtype).eps
        image = image.to(basis)
        diagonal.append((basis[-1] @ image).item())
        for _ in range(2):  # the second time removes what rounding left of the first
            image = image - (basis @ image) @ basis
        beside.append(image.norm().item())
        if beside[-1] <= rounding * max(map(abs, diagonal + beside)):
            break
        basis = torch.cat([basis, image[None] / beside[-1]])
    off = torch.tensor(beside[:-1], dtype=torch.float64)
    tridiagonal = torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + off.diag(1) + off.diag(-1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    return Ritz(values, beside[-1] * vectors[-1].abs())


def extreme_eigenvalues(
    generator: Generator, problem: Problem, content: Content, steps: int = 20
) -> dict[str, float | list[float]]:
    """The largest eigenvalues and the lowest one of the Hessian of a problem's objective at a content.

    Returns:  ``top`` (the largest, descending) and ``lowest``, in nats per token per squared unit of embedding space;
              ``top_error`` and ``lowest_error``, how far from the first and from the lowest an eigenvalue is at most;
              ``gradient_norm`` in nats per token per unit; ``relative``, the largest eigenvalue times the squared mean
              norm of a slot, in nats per token: the curvature with lengths measured in slots, so that contents of
              different scale can be compared
    """
    content = content.to(generator.device, generator.content_dtype)
    gradient, product = hessian_vector_product(partial(objective, generator, problem), content)
    found = lanczos(
        lambda direction: product(direction.view(content.shape).to(content)).flatten(),
        content.numel(),
        steps,
        problem.id,
    )
    values, errors = found.values.tolist(), found.errors.tolist()
    return {
        "top": values[: -TOP - 1 : -1],
        "top_error": errors[-1],
        "lowest": values[0],
        "lowest_error": errors[0],
        "gradient_norm": gradient.norm().item(),
        "relative": values[-1] * content.norm(dim=1).mean().item() ** 2,
    }
