"""The functions of other projects that are tried, each with what was found: why some of its sub-checks fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from trying import Finding, SubCheck, Subject, demand, loss_checks, normalizer_checks

if TYPE_CHECKING:
    from torch import Tensor

# --- torch ------------------------------------------------------------------------------------------------------------

FEATURES = ("ignore_index", "weights", "label_smoothing", "soft_targets", "masks")
WITHOUT_MASKS = FEATURES[:-1]  # scores that come out of a product with weights: 0 * inf is not a number


def torch_cross_entropy() -> Mapping[str, SubCheck]:
    """F.cross_entropy, as it is."""
    from torch.nn.functional import cross_entropy

    return loss_checks(cross_entropy, reduction="mean", features=FEATURES)


def torch_nll_loss() -> Mapping[str, SubCheck]:
    """F.nll_loss of log_softmax, which is the cross-entropy."""
    from torch.nn.functional import log_softmax, nll_loss

    def loss(scores: Tensor, targets: Tensor, **options: Any) -> Tensor:
        return nll_loss(log_softmax(scores, -1), targets, **options)

    return loss_checks(loss, reduction="mean", features=("ignore_index", "weights"))


def torch_binary_cross_entropy() -> Mapping[str, SubCheck]:
    """F.binary_cross_entropy_with_logits, summed over the classes."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    def loss(scores: Tensor, targets: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(scores, targets, reduction="none").sum(-1)

    return loss_checks(loss, normalizer="sigmoid", reduction="none", targets="soft")


MANY = 5000
"""Classes from which on the identity takes the place of the hidden states."""


def torch_linear_cross_entropy(chunked: bool, **options: Any) -> Callable[[], Mapping[str, SubCheck]]:
    """F.linear_cross_entropy, scores for hidden states and the identity for weights; options of the chunked path."""

    def build() -> Mapping[str, SubCheck]:
        import torch
        from torch.nn.functional import linear_cross_entropy

        chosen = torch.nn.LinearCrossEntropyOptions(**options) if chunked else None

        def loss(scores: Tensor, targets: Tensor, **features: Any) -> Tensor:
            n, k = scores.shape
            hidden, weight = scores, torch.eye(k if k < MANY else 0, dtype=scores.dtype)
            if k >= MANY:  # the identity would have 4 billion entries: the scores are the weights, then
                hidden, weight = torch.eye(n, dtype=scores.dtype), scores.t()
            return linear_cross_entropy(hidden, weight, targets, options=chosen, **features)

        # Label smoothing and soft targets make the chunked one fall back on the reference, with a warning.
        features = ("ignore_index", "weights") if chunked else WITHOUT_MASKS
        return loss_checks(loss, reduction="mean", features=features)

    return build


def torch_normalizer(name: str, like: str = "softmax") -> Callable[[], Mapping[str, SubCheck]]:
    """A normalizer of torch.nn.functional, and the name of the one that it ought to be."""

    def build() -> Mapping[str, SubCheck]:
        from torch.nn import functional

        fn = getattr(functional, name)
        match name:
            case "softmax":
                return normalizer_checks(lambda x: fn(x, -1))
            case "log_softmax":
                return normalizer_checks(lambda x: fn(x, -1).exp())
            case _:
                return normalizer_checks(fn, like)

    return build


# --- entmax -----------------------------------------------------------------------------------------------------------


def entmax_normalizer(name: str) -> Callable[[], Mapping[str, SubCheck]]:
    """A sparse normalizer of entmax."""

    def build() -> Mapping[str, SubCheck]:
        import entmax

        fn = getattr(entmax, name)
        return {"certificate": lambda: sparse_certificate(fn), **derivatives(lambda x: fn(x, dim=-1))}

    return build


def entmax_softmax() -> Mapping[str, SubCheck]:
    """entmax at alpha = 1, in theory SoftMax."""
    from entmax import entmax_bisect

    return normalizer_checks(lambda x: entmax_bisect(x, alpha=1.0), only=("range", "value", "Jacobian"))


def sparse_certificate(fn: Callable[[Tensor], Tensor]) -> tuple[str, ...]:
    """A sparse normalizer is of no SoftMax type, and still the gradient of a convex potential."""
    from softmax_trick.certification.black_box import certify_torch

    found = {name: entry.holds for name, entry in certify_torch(fn, 4).properties().items()}
    expected = {"unity": True, "positive": False, "symmetric_jacobian": True, "softmax_type": False}
    expected |= {"generalised_softmax": False, "trick": False, "convex": True, "order_preserving": True}
    wrong = {name: found[name] for name, holds in expected.items() if found[name] is not holds}
    return demand(not wrong, f"certificate: not as expected: {wrong}")


def scores_off_kinks() -> Tensor:
    """Scores of which some classes get 0 from sparsemax and entmax-1.5, not at the edge of it."""
    import torch

    return torch.tensor([[1.0, 0.75, -0.25, -2.5], [0.0, 0.3, 0.1, -2.4]], dtype=torch.float64, requires_grad=True)


def derivatives(fn: Callable[[Tensor], Tensor]) -> dict[str, SubCheck]:
    """First and second derivatives against finite differences, where there is no reference."""
    from torch.autograd import gradcheck, gradgradcheck

    def first() -> tuple[str, ...]:
        return demand(
            gradcheck(fn, scores_off_kinks(), raise_exception=False), "gradient: not that of finite differences"
        )

    def second() -> tuple[str, ...]:
        right = gradgradcheck(fn, scores_off_kinks(), raise_exception=False)
        return demand(right, "second derivative: not that of finite differences")

    return {"gradient": first, "second derivative": second}


def entmax_loss(function: str, module: str, normalizer: str, margin: float) -> Callable[[], Mapping[str, SubCheck]]:
    """A sparse loss of entmax, the module of it, its normalizer, and the margin from which on the loss is 0."""

    def build() -> Mapping[str, SubCheck]:
        import entmax
        import torch
        from torch.nn.functional import one_hot

        loss, fn = getattr(entmax, function), getattr(entmax, normalizer)
        targets = torch.tensor([2, 0])

        def value() -> tuple[str, ...]:
            # With the gradient right everywhere, one value settles the others.
            x = torch.tensor([[margin, 0.0, -1.0]], dtype=torch.float64)
            zero = loss(x, torch.tensor([0])).item() == 0
            return demand(zero, "value: not 0 where the target leads by the margin")

        def isbe() -> tuple[str, ...]:
            x = scores_off_kinks()
            (found,) = torch.autograd.grad(loss(x, targets).sum(), x)
            # One subtraction of numbers up to 1 on either side.
            right = fn(x.detach(), dim=-1) - one_hot(targets, 4)
            near = bool((found - right).abs().max() <= torch.finfo(x.dtype).eps)
            return demand(near, "F(x) - t: the gradient is another")

        def soft_scores(x: Tensor) -> Tensor:
            x = x.detach().requires_grad_()
            first = torch.zeros(len(x), dtype=torch.int64)
            (found,) = torch.autograd.grad(loss(x, first).sum(), x)
            return found + one_hot(first, x.shape[-1])

        def ignore_index() -> tuple[str, ...]:
            x = scores_off_kinks().detach()
            try:
                found = getattr(entmax, module)(reduction="sum")(x, torch.tensor([2, -100]))
            except RuntimeError as error:
                raise AssertionError(f"ignore_index: raises {error}") from error
            return demand(bool(found == loss(x[:1], targets[:1]).sum()), "ignore_index: an ignored row counts")

        return {
            "value": value,
            **derivatives(lambda x: loss(x, targets)),
            "F(x) - t": isbe,
            "certificate": lambda: sparse_certificate(soft_scores),
            "ignore_index": ignore_index,
        }

    return build


# --- JAX --------------------------------------------------------------------------------------------------------------


def jax_in_float64() -> Any:
    """JAX, set to compute in float64 where it is given float64."""
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def jax_normalizer(name: str) -> Callable[[], Mapping[str, SubCheck]]:
    """A normalizer of jax.nn."""

    def build() -> Mapping[str, SubCheck]:
        from softmax_trick.testing.frameworks import from_jax

        fn = getattr(jax_in_float64().nn, name)
        return normalizer_checks(from_jax(fn), like=name)

    return build


def optax_loss(name: str, **arguments: Any) -> Callable[[], Mapping[str, SubCheck]]:
    """A loss of optax, one value a row."""

    def build() -> Mapping[str, SubCheck]:
        jax_in_float64()
        import optax

        from softmax_trick.testing.frameworks import from_jax

        fn = from_jax(getattr(optax, name))

        def loss(scores: Tensor, targets: Tensor) -> Tensor:
            value = fn(scores, targets)
            return value.sum(-1) if name == "sigmoid_binary_cross_entropy" else value

        return loss_checks(loss, reduction="none", **arguments)

    return build


# --- scipy and scikit-learn: values only ------------------------------------------------------------------------------


def scipy_normalizer(name: str) -> Callable[[], Mapping[str, SubCheck]]:
    """A normalizer of scipy.special, values only."""

    def build() -> Mapping[str, SubCheck]:
        import numpy as np
        import scipy.special
        import torch

        fn = getattr(scipy.special, name)

        def normalizer(x: Tensor) -> Tensor:
            y = fn(x.numpy()) if name == "expit" else fn(x.numpy(), axis=-1)
            return torch.from_numpy(np.exp(y) if name == "log_softmax" else y)

        if name == "expit":
            return normalizer_checks(normalizer, "sigmoid", only=("range", "value"))
        return normalizer_checks(normalizer, only=("range", "value", "shift invariance"))

    return build


def sklearn_log_loss() -> Mapping[str, SubCheck]:
    """scikit-learn's log_loss of probabilities, values only."""
    import torch
    from sklearn.metrics import log_loss

    def loss(scores: Tensor, targets: Tensor) -> Tensor:
        probabilities = scores.detach().softmax(-1).numpy()
        value = log_loss(targets.numpy(), probabilities, labels=range(scores.shape[1]), normalize=False)
        return torch.tensor(value, dtype=torch.float64)

    return loss_checks(loss, only=("value",))


# --- what was found ---------------------------------------------------------------------------------------------------

HARDSIGMOID = Finding(
    title="`F.hardsigmoid`: the slope in float64 is 1/6 rounded to float32",
    checks=("Jacobian", "memory formats", "saturation", "batch sizes"),
    kind="precision",
    text="In float64 the derivative is off by 5e-9, that is 3e-8 of its size. Values are not concerned.",
    reproducer="""\
import torch

x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
torch.nn.functional.hardsigmoid(x).backward()
print(x.grad.item(), 1 / 6)
""",
    prints="0.1666666716337204 0.16666666666666666",
)
CHUNKED = """\
import torch
from torch.nn.functional import linear_cross_entropy

x = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
weight = torch.eye(2, dtype=torch.float64)
"""
CHUNKED_FINDINGS = (
    Finding(
        title="Chunked `F.linear_cross_entropy`: the second derivative is silently 0",
        checks=("second derivative",),
        kind="fault",
        text="Its documentation says that higher derivatives are unsupported, but they are not refused: with "
        "`create_graph=True` the gradient is a constant of the graph, so that a gradient penalty is paid and has no "
        "effect on the gradient. First is the chunked path, second the reference.",
        reproducer=CHUNKED
        + """\
target = torch.tensor([0, 0])
x.data[0, 0] = 1
for options in (torch.nn.LinearCrossEntropyOptions(allow_retain_graph=True), None):
    loss = linear_cross_entropy(x, weight, target, options=options)
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    (total,) = torch.autograd.grad(loss + gradient.square().sum(), x)
    print([f"{entry:.4f}" for entry in total.flatten().tolist()])
""",
        prints="['-0.1345', '0.1345', '-0.2500', '0.2500']\n['-0.1873', '0.1873', '-0.3750', '0.3750']",
    ),
    Finding(
        title="Chunked `F.linear_cross_entropy`: the gradient is NaN where every row is ignored",
        checks=("ignore_index",),
        kind="fault",
        text='With `reduction="mean"` and `ignore_index` for every row of a batch the value is NaN, 0 / 0, on either '
        "path. The gradient is 0 on the reference path, second, and NaN on the chunked one, which makes every weight "
        "NaN in the next step.",
        reproducer=CHUNKED
        + """\
target = torch.tensor([-100, -100])
for options in (torch.nn.LinearCrossEntropyOptions(), None):
    loss = linear_cross_entropy(x, weight, target, options=options)
    print(loss.item(), torch.autograd.grad(loss, x)[0].tolist())
""",
        prints="nan [[nan, nan], [nan, nan]]\nnan [[0.0, 0.0], [0.0, 0.0]]",
    ),
)
RETAINED = Finding(
    title="Chunked `F.linear_cross_entropy`: a second backward pass is refused",
    checks=("repeated backward",),
    kind="documented",
    text="Unless `allow_retain_graph=True` is among its options; then it passes. It is refused by a RuntimeError that "
    "says so.",
)


def entmax_loss_findings(function: str, module: str, second: str) -> tuple[Finding, ...]:
    """What fails in either sparse loss of entmax; second: what the first reproducer prints."""
    return (
        Finding(
            title=f"`entmax.{function}`: the second derivative is silently 0",
            checks=("second derivative",),
            kind="fault",
            text="The backward pass multiplies by a tensor that was kept as a constant, and is not marked as once "
            "differentiable: a gradient penalty is paid and has no effect on the gradient. First is the gradient by "
            "autograd, second by a central difference.",
            reproducer=f"""\
import torch
from entmax import {function}

def penalised(x):
    loss = {function}(x, torch.tensor([0])).sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    return loss + gradient.square().sum()

x = torch.tensor([[0.5, 0.25]], dtype=torch.float64, requires_grad=True)
h = torch.tensor([[1e-5, 0.0]], dtype=torch.float64)
print(f"{{torch.autograd.grad(penalised(x), x)[0][0, 0]:.4f}}")
print(f"{{(penalised(x + h) - penalised(x - h)).item() / 2e-5:.4f}}")
""",
            prints=second,
        ),
        Finding(
            title=f"`entmax.{module}`: the default `ignore_index=-100` ignores nothing",
            checks=("ignore_index",),
            kind="fault",
            text="Only an index of at least 0 is looked at, and the label -100 is then out of bounds. The default is "
            "that of torch's losses, which ignore -100; should it mean “none” here, no documentation says so.",
            reproducer=f"""\
import torch
from entmax import {module}

try:
    {module}()(torch.zeros(2, 3), torch.tensor([0, -100]))
except RuntimeError as error:
    print(error)
""",
            prints="index -100 is out of bounds for dimension 1 with size 3",
        ),
    )


ENTMAX15 = Finding(
    title="`entmax.entmax15`: second derivatives are NaN where a class gets 0",
    checks=("second derivative",),
    kind="fault",
    text="The backward pass takes the square root of the output, the derivative of which is infinite at 0, and "
    "infinity times 0 is NaN. Near these scores the third class stays at 0, and the function of the other two is "
    "smooth.",
    reproducer="""\
import torch
from entmax import entmax15

x = torch.tensor([3.0, 2.5, -9.0], requires_grad=True)
y = entmax15(x)
(gradient,) = torch.autograd.grad(y[0], x, create_graph=True)
print(y.tolist()[2], torch.autograd.grad(gradient[0], x)[0].tolist())
""",
    prints="0.0 [nan, nan, nan]",
)
ENTMAX_SOFTMAX = Finding(
    title="`entmax.entmax_bisect(alpha=1)` is not SoftMax",
    checks=("value", "Jacobian"),
    kind="documented",
    text="It gives 1 / K for any scores. Its documentation says that it does not work with `alpha=1`, and to use "
    "torch's softmax; it is not refused.",
)
OPTAX_MASKS = Finding(
    title="`optax.softmax_cross_entropy`: NaN where a score is -inf",
    checks=("masks",),
    kind="documented",
    text="The target 0 times the logarithm -inf. Its documentation points to `safe_softmax_cross_entropy` for scores "
    "of -inf, which passes.",
)

EVERY = "every sub-check of `check_{}`"
LOSS, NORMALIZER = EVERY.format("loss"), EVERY.format("normalizer")
IDENTITY = f"with the identity for weights, from {MANY} classes on for hidden states; {LOSS}"
JAX = "through numpy, with JAX's own derivatives in float64"
VALUES = "has no derivatives; the values"
CERTIFIED = "certificate at K = 4; derivatives by finite differences"
SPARSE = "value, derivatives by finite differences, F(x) - t, certificate of F, the default `ignore_index`"

SUBJECTS: tuple[Subject, ...] = (
    Subject("torch F.cross_entropy", f"{LOSS}, every feature", torch_cross_entropy),
    Subject("torch F.nll_loss", f"after log_softmax; {LOSS}, ignore_index, weights", torch_nll_loss),
    Subject("torch F.binary_cross_entropy_with_logits", f"summed over classes; {LOSS}", torch_binary_cross_entropy),
    Subject(
        "torch F.linear_cross_entropy, reference",
        f"{IDENTITY}, every feature but masks",
        torch_linear_cross_entropy(chunked=False),
    ),
    Subject(
        "torch F.linear_cross_entropy, chunked",
        f"{IDENTITY}, ignore_index, weights",
        torch_linear_cross_entropy(chunked=True),
        (*CHUNKED_FINDINGS, RETAINED),
    ),
    Subject(
        "torch F.linear_cross_entropy, chunked, allow_retain_graph=True",
        f"{IDENTITY}, ignore_index, weights",
        torch_linear_cross_entropy(chunked=True, allow_retain_graph=True),
        CHUNKED_FINDINGS,
    ),
    Subject("torch F.softmax", NORMALIZER, torch_normalizer("softmax")),
    Subject("torch F.log_softmax", f"its exponential; {NORMALIZER}", torch_normalizer("log_softmax")),
    Subject("torch F.sigmoid", NORMALIZER, torch_normalizer("sigmoid", "sigmoid")),
    Subject("torch F.hardsigmoid", NORMALIZER, torch_normalizer("hardsigmoid", "hardsigmoid_torch"), (HARDSIGMOID,)),
    Subject("entmax.entmax_bisect, alpha=1", "as SoftMax", entmax_softmax, (ENTMAX_SOFTMAX,)),
    Subject("entmax.sparsemax", CERTIFIED, entmax_normalizer("sparsemax")),
    Subject("entmax.entmax15", CERTIFIED, entmax_normalizer("entmax15"), (ENTMAX15,)),
    Subject(
        "entmax.sparsemax_loss",
        SPARSE,
        entmax_loss("sparsemax_loss", "SparsemaxLoss", "sparsemax", 1.0),
        entmax_loss_findings("sparsemax_loss", "SparsemaxLoss", "-0.3750\n-1.1250"),
    ),
    Subject(
        "entmax.entmax15_loss",
        SPARSE,
        entmax_loss("entmax15_loss", "Entmax15Loss", "entmax15", 2.0),
        entmax_loss_findings("entmax15_loss", "Entmax15Loss", "-0.4120\n-0.9877"),
    ),
    Subject("jax.nn.softmax", f"{JAX}; {NORMALIZER}", jax_normalizer("softmax")),
    Subject("jax.nn.sigmoid", f"{JAX}; {NORMALIZER}", jax_normalizer("sigmoid")),
    Subject(
        "optax.softmax_cross_entropy",
        f"{JAX}; {LOSS}, masks",
        optax_loss("softmax_cross_entropy", targets="soft", features=("masks",)),
        (OPTAX_MASKS,),
    ),
    Subject(
        "optax.safe_softmax_cross_entropy",
        f"{JAX}; value, gradient, masks",
        optax_loss(
            "safe_softmax_cross_entropy", targets="soft", features=("masks",), only=("value", "gradient", "masks")
        ),
    ),
    Subject(
        "optax.softmax_cross_entropy_with_integer_labels",
        f"{JAX}; {LOSS}, masks",
        optax_loss("softmax_cross_entropy_with_integer_labels", features=("masks",)),
    ),
    Subject(
        "optax.sigmoid_binary_cross_entropy",
        f"summed over classes; {JAX}; {LOSS}",
        optax_loss("sigmoid_binary_cross_entropy", normalizer="sigmoid", targets="soft"),
    ),
    Subject("scipy.special.softmax", VALUES, scipy_normalizer("softmax")),
    Subject("scipy.special.log_softmax", f"its exponential; {VALUES}", scipy_normalizer("log_softmax")),
    Subject("scipy.special.expit", VALUES, scipy_normalizer("expit")),
    Subject("sklearn.metrics.log_loss", f"of torch's SoftMax; {VALUES}", sklearn_log_loss),
)
