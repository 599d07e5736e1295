r"""How the paper's listings are mended, parsed and run; nothing but the package's own listings ever is.

Each is run as printed; where that fails it is mended by the least edits, each of which answers a claim that fails
without it. There are two lists of edits:

    READING   what it takes to run the listings at all
    REPAIR    what it takes beyond that for a torch.autograd.Function that obeys the chain rule

A listing is run on vectors of symbols, `torch`, the network and the optimizer being stand-ins, or in torch, at scores
where all values are exact binary fractions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sympy as sp

from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.steps import Open
from softmax_trick.proofs.printed import LISTINGS, data
from softmax_trick.symbolic import Vector, gradient

if TYPE_CHECKING:
    from torch import Tensor

RUNS = "it runs"


# --- edits ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """A change of a printed listing.

    Attributes:
        claim: the claim that fails without it.
        listing: the name of the listing.
        old: the text to replace.
        new: the text to put in its place.
    """

    claim: str
    listing: str
    old: str
    new: str


READING, REPAIR = (tuple(Edit(**edit) for edit in data("edits")[name]) for name in ("reading", "repair"))


def listing(name: str, edits: Sequence[Edit] = ()) -> str:
    """A listing as printed, or with the edits that concern it.

    Raises:
        ValueError: the text that an edit replaces is not there.
    """
    text = LISTINGS[name]
    for edit in edits:
        if edit.listing == name:
            if edit.old not in text:
                raise ValueError(f"{name} has no {edit.old!r} to mend")
            text = text.replace(edit.old, edit.new)
    return text


def assembled(edits: Sequence[Edit] = ()) -> str:
    """The class ISBE_func: the skeleton with each method's stub replaced by the listing of that method."""
    text = listing("SKELETON", edits)
    for method in ("forward", "setup_context", "backward"):
        body = "".join(f"    {line}\n" for line in listing(method.upper(), edits).splitlines())
        stub = re.compile(rf"    def {method}\(\.\.\.\):?\n        <body of {method}>\n")
        text = stub.sub(lambda _, body=body: body, text)  # type: ignore[misc]
    return text


# --- parsing and running ----------------------------------------------------------------------------------------------


def misprint(source: str) -> SyntaxError | None:
    """The error that stops Python's parser; None if there is none."""
    try:
        ast.parse(source)
    except SyntaxError as error:
        return error
    return None


def parses(findings: Findings, what: str, source: str) -> None:
    """The fact that a listing is Python."""
    error = misprint(source) or SyntaxError()
    line = (error.text or "").strip()
    findings.holds(
        f"{what} parses", misprint(source) is None, line=error.lineno, printed=line, error=f"SyntaxError: {error.msg}"
    )


def executed(source: str, **names: Any) -> dict[str, Any]:
    """The names that are there after a listing of ours was run with the names that it leaves to the reader."""
    exec(compile(source, "listing", "exec"), names)
    return names


def outcome(call: Callable[..., Any], *given: Any, **named: Any) -> str:
    """What becomes of a call: "it runs", or the exception that it raises.

    Raises:
        Exception: torch itself does not work here, so that no exception of the call's says anything of the listing.
    """
    _step_of_our_own()
    try:
        call(*given, **named)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return RUNS


def _step_of_our_own() -> None:
    """Cross-entropy and an autograd.Function, there and back: whatever a listing asks of an installation of torch."""
    import torch

    class Identity(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, error: Tensor) -> Tensor:
            return error

    scores = torch.zeros(1, 2, requires_grad=True)
    copy = Identity.apply(scores)  # type: ignore[no-untyped-call]
    torch.nn.functional.cross_entropy(copy, torch.tensor([0])).backward()


def suppose(findings: Findings, text: str, condition: bool) -> None:
    """A step of a counterexample: if it is not so, nothing is shown.

    Raises:
        Open: it is not so.
    """
    if not condition:
        raise Open(f"the step '{text}' is false")
    findings.established(text)


# --- running on symbols -----------------------------------------------------------------------------------------------


class Row(Vector):
    """One row of a batch of scores, of symbols: what the listings ask of a tensor beyond what a Vector can do.

    Attributes:
        sent: the error that `backward` was called with.
        calls: of the methods of the scores and of the optimizer, in order.
    """

    sent: Vector
    calls: list[str]

    def __sub__(self, other: Any) -> Row:
        return Row(self.classes, super().__sub__(other).__getitem__)

    def backward(self, error: Vector) -> None:
        """Keep the error, with the 2. and 1. of the listings as integers."""
        self.sent = exact(error)
        self.calls.append("backward")


def exact(v: Vector) -> Vector:
    """The vector with its floating-point constants as rational numbers."""
    return v.map(lambda entry: sp.nsimplify(entry, rational=True))


def sent_by_loop(x: Vector, t: Vector, source: str, **names: Any) -> Vector:
    """What a loop sends back to the scores x of one example with the target t."""
    row = Row(x.classes, x.__getitem__)
    row.calls = calls = []
    optimizer = SimpleNamespace(zero_grad=lambda: calls.append("zero_grad"), step=lambda: calls.append("step"))
    executed(source, tgen=[(t, "images")], net=lambda images: row, optimizer=optimizer, **names)
    if calls != ["zero_grad", "backward", "step"]:
        raise Open(f"the loop calls {', '.join(calls)}, not zero_grad, backward and step in this order")
    return row.sent


def loss_of_symbols(loss: Callable[[Vector, Vector], sp.Expr], x: Vector) -> Callable[[Row, Vector], Any]:
    """A `loss_function` for a loop on symbols: its backward differentiates the loss by the scores x."""

    def loss_function(outputs: Row, labels: Vector) -> Any:
        return SimpleNamespace(backward=lambda: outputs.backward(gradient(loss(labels, x), x)))

    return loss_function


@dataclass(frozen=True)
class Forward:
    """What the forward of the listing returns for a row of symbols, and the torch function that it called."""

    mse: sp.Expr
    errors: Vector
    scores: Vector
    called: str


def forward_on_symbols(p: Proof, soft: str, scores: Vector, eps: sp.Expr, edits: Sequence[Edit] = READING) -> Forward:
    """Run forward on a row labelled 1, whatever function of the raw scores the soft scores are."""
    called: list[str] = []

    def normalizer(name: str) -> Callable[..., Row]:
        def call(raw_scores: Vector, dim: int | None = None) -> Row:
            called.append(name)
            return Row(p.classes, scores.__getitem__)

        return call

    functional = SimpleNamespace(**{name: normalizer(name) for name in FUNCTIONS.values()})
    functional.one_hot = lambda label, num_classes: p.classes.unit(label)
    torch = SimpleNamespace(nn=SimpleNamespace(functional=functional), mean=lambda v: v.sum() / p.classes.size)
    forward = executed(listing("FORWARD", edits), torch=torch)["forward"]
    options = {"soft": soft, "num_classes": p.classes.size, "eps": eps}
    mse, errors, returned = forward(p.vector("x"), 1, options)
    return Forward(sp.nsimplify(mse, rational=True), exact(errors), returned, " ".join(called))


# The options of the listing, and the function of torch.nn.functional that computes each.
FUNCTIONS = {name: name for name in ("sigmoid", "hardsigmoid", "tanh", "hardtanh")} | {"SoftMax": "softmax"}
TWO_SIDED = ("tanh", "hardtanh")  # their range is (-1, 1): targets are 2t - 1


def target(t: Vector, soft: str) -> Vector:
    """The target in the range of the soft scores (section 3)."""
    return 2 * t - 1 if soft in TWO_SIDED else t


# --- running in torch -------------------------------------------------------------------------------------------------


def shown(tensor: Tensor | None) -> str:
    """A tensor as text, its entries as exact fractions; None is what autograd leaves where nothing was sent."""

    def text(value: Any) -> str:
        return f"[{', '.join(map(text, value))}]" if isinstance(value, list) else str(Fraction(value))

    return "None" if tensor is None else text(tensor.tolist())


def soft_functions() -> dict[str, Callable[[Tensor], Tensor]]:
    """The names by which the loops of Appendix B.1 call the normalizers."""
    import torch

    return {
        "SoftMax": lambda scores: torch.softmax(scores, 1),
        "sigmoid": torch.sigmoid,
        "hardsigmoid": torch.nn.functional.hardsigmoid,
        "tanh": torch.tanh,
        "hardtanh": torch.nn.functional.hardtanh,
    }


def gradient_by_loop(source: str, scores: Tensor, labels: Tensor, **names: Any) -> Tensor:
    """The gradient that a loop leaves in the scores, which are its only parameters."""
    import torch

    leaf = scores.clone().requires_grad_()
    optimizer = torch.optim.SGD([leaf], lr=1.0)
    reader = {"tgen": [(labels, "images")], "net": lambda images: leaf * 1, "optimizer": optimizer}
    executed(source, **{**soft_functions(), **reader, **names})
    if leaf.grad is None:
        raise Open("the loop leaves no gradient")
    return leaf.grad


def isbe_class(edits: Sequence[Edit] = READING) -> Any:
    """ISBE_func, with edits."""
    import torch

    return executed(assembled(edits), torch=torch)["ISBE_func"]


def wrappers(**options: Any) -> SimpleNamespace:
    """The mended ISBE_func and the functions around it, with a global object ex that has these options."""
    import torch

    names = ("ISBE_FUNC_WITH_OPTIONS", "ISBE_FUNC", "ISBE_BACKWARD")
    source = "\n".join([assembled(READING), *map(listing, names)])
    return SimpleNamespace(**executed(source, torch=torch, ex=SimpleNamespace(loss_options=options)))


@dataclass(frozen=True)
class Example:
    """ISBE_func applied to the scores (0, 0) of one example of class 0: Y = (1/2, 1/2), Y - t = (-1/2, 1/2)."""

    scores: Tensor
    mse: Tensor
    soft_errors: Tensor
    soft_scores: Tensor

    def gradient(self, value: Tensor, create_graph: bool = False) -> Tensor:
        """The gradient by the scores that autograd returns for a value."""
        import torch

        return torch.autograd.grad(value, self.scores, retain_graph=True, create_graph=create_graph)[0]


def example(edits: Sequence[Edit] = READING) -> Example:
    """The smallest example, with the class as printed but for the edits."""
    import torch

    scores = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    options = {"soft": "SoftMax", "num_classes": 2, "eps": 0.0}
    return Example(scores, *isbe_class(edits).apply(scores, torch.tensor([0]), options))


def tensor(values: Sequence[Any]) -> Tensor:
    """Whole numbers, or numbers in double precision."""
    import torch

    made = torch.tensor(values)
    return torch.tensor(values, dtype=torch.float64) if made.is_floating_point() else made


def one_hot(labels: Tensor, k: int) -> Tensor:
    """One-hot targets in double precision."""
    import torch

    return torch.nn.functional.one_hot(labels, k).double()
