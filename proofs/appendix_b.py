r"""Section 3's two loops and Appendix B (paper): the listings, parsed, run, and held against what is said of them.

Each listing is decided as printed; where it does not parse or run, what remains is decided on the mended listing. The
edits, and how a listing is run, stand in `listing_runs`.
"""

from __future__ import annotations

import ast
import gc
import inspect
import re
import weakref
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.steps import Open
from softmax_trick.proofs.listing_runs import (
    FUNCTIONS,
    READING,
    REPAIR,
    RUNS,
    TWO_SIDED,
    Edit,
    assembled,
    example,
    executed,
    forward_on_symbols,
    gradient_by_loop,
    isbe_class,
    listing,
    loss_of_symbols,
    misprint,
    one_hot,
    outcome,
    parses,
    sent_by_loop,
    shown,
    soft_functions,
    suppose,
    target,
    tensor,
    wrappers,
)
from softmax_trick.symbolic import Vector, gradient, soft_cross_entropy, softmax

if TYPE_CHECKING:
    from torch import Tensor


PARSER, PYTHON, TORCH = "Python's parser", "Python", "torch"
EACH_ROW = "torch.mean of a batch is the mean over its rows as well; any class may be numbered 1"


def as_printed(*names: str) -> Check:
    """The check that listings are Python."""

    def check(findings: Findings) -> None:
        for name in names:
            parses(findings, name.lower(), listing(name))

    return Check(PARSER, check, "the listing" if len(names) == 1 else f"{len(names)} listings")


def hot(p: Proof, eps: sp.Expr) -> Vector:
    """The softened targets of a row labelled 1."""
    return p.classes.unit(1) * (1 - p.classes.size * eps) + eps


# --- section 3: the two loops -----------------------------------------------------------------------------------------


def first_loop_on_symbols(p: Proof) -> None:
    """The loop is run on symbols, with the cross-entropy of one example."""
    x, t = p.vector("x"), p.vector("t")
    loss = loss_of_symbols(soft_cross_entropy, x)
    sent = sent_by_loop(x, t, listing("LOOP_CROSS_ENTROPY"), loss_function=loss)
    p.statement("the loop sends the gradient of the loss", sent, gradient(soft_cross_entropy(t, x), x))


def first_loop(findings: Findings) -> None:
    """It parses, and leaves the gradient of the loss, for both kinds of labels that the loss takes."""
    import torch

    source = listing("LOOP_CROSS_ENTROPY")
    parses(findings, "the loop", source)
    labels, scores = torch.tensor([0, 1, 0]), torch.tensor([[0.0, 1.0], [2.0, -1.0], [0.0, 0.0]])
    for kind, given in (("class indices", labels), ("vectors", one_hot(labels, 2).float())):
        left = gradient_by_loop(source, scores, given, loss_function=torch.nn.CrossEntropyLoss())
        leaf = scores.clone().requires_grad_()
        right = torch.autograd.grad(torch.nn.functional.cross_entropy(leaf, given), leaf)[0]
        findings.same(
            f"with {kind} the parameters get the gradient of the loss", shown(left), shown(right), labels=kind
        )


def second_loop_parses(findings: Findings) -> None:
    """It parses, and at scores of zero the error is 1/K - t."""
    source = listing("LOOP_ISBE")
    parses(findings, "the loop", source)
    left = gradient_by_loop(source, tensor([[0.0] * 4] * 2), one_hot(tensor([0, 2]), 4))
    right = "[[-3/4, 1/4, 1/4, 1/4], [1/4, 1/4, -3/4, 1/4]]"
    findings.same("for scores of zero, K = 4, the loop sends 1/4 - t", shown(left), right)


def second_loop(p: Proof) -> None:
    """The loop is run on symbols."""
    x, t = p.vector("x"), p.vector("t")
    p.statement(
        "the loop sends SoftMax(x) - t", sent_by_loop(x, t, listing("LOOP_ISBE"), SoftMax=softmax), softmax(x) - t
    )


def swapped(p: Proof) -> None:
    """Both loops are run on symbols, the first with the cross-entropy of one example of a batch of n_b."""
    x, t, n_b = p.vector("x"), p.vector("t"), sp.Symbol("n_b", positive=True, integer=True)
    p.cites("one example's scores occur in its own term of the batch's loss alone: the others drop out of the gradient")
    second = sent_by_loop(x, t, listing("LOOP_ISBE"), SoftMax=softmax)

    def first(divisor: sp.Expr) -> Vector:
        loss = loss_of_symbols(lambda t, x: soft_cross_entropy(t, x) / divisor, x)
        return sent_by_loop(x, t, listing("LOOP_CROSS_ENTROPY"), loss_function=loss)

    p.statement("reduction sum: the first loop sends what the second does", first(sp.S.One), second, (t,))
    p.statement("reduction mean: the first loop sends 1/n_b of it", first(n_b), second / n_b, (t,))


def swapped_in_torch(findings: Findings) -> None:
    """Scores of zero, K = n_b = 2."""
    import torch

    scores, t = torch.zeros(2, 2, dtype=torch.float64), one_hot(torch.tensor([0, 1]), 2)
    first = gradient_by_loop(listing("LOOP_CROSS_ENTROPY"), scores, t, loss_function=torch.nn.CrossEntropyLoss())
    second = gradient_by_loop(listing("LOOP_ISBE"), scores, t)
    findings.same("both loops send the same errors", shown(first), shown(second), K=2, n_b=2, scores=shown(scores))


def labels_of_both(findings: Findings) -> None:
    """Vectors do for both loops; class indices only for the first."""
    import torch

    def sent(source: str, labels: Tensor) -> Tensor:
        scores = torch.zeros(len(labels), 2, dtype=torch.float64)
        return gradient_by_loop(source, scores, labels, loss_function=torch.nn.CrossEntropyLoss(reduction="sum"))

    first, second = listing("LOOP_CROSS_ENTROPY"), listing("LOOP_ISBE")
    for labels in ([0, 1, 0], [0, 1]):
        given = torch.tensor(labels)
        vectors, indices = sent(second, one_hot(given, 2)), outcome(sent, first, given)
        suppose(findings, f"with vectors for {labels} the second loop runs", vectors.shape == (len(labels), 2))
        suppose(findings, f"with the class indices {labels} the first loop runs", indices == RUNS)
    wrong, said = shown(sent(second, torch.tensor([0, 1]))), outcome(sent, second, torch.tensor([0, 1, 0]))
    findings.holds(
        "with the class indices [0, 1, 0] the second loop runs",
        said == RUNS,
        **{"K": 2, "n_b": 3, "labels": [0, 1, 0], "it raises": said},
        **{"for n_b = K = 2, scores 0, labels [0, 1] it sends": wrong},
        **{"instead of": shown(sent(first, torch.tensor([0, 1])))},
    )
    findings.same("and with [0, 1] it sends what the first does", wrong, shown(sent(first, torch.tensor([0, 1]))))


# --- Appendix B.1 -----------------------------------------------------------------------------------------------------


def simplest(p: Proof) -> None:
    """The loop is run on symbols; one-hot and softened targets both sum to one."""
    x, t = p.vector("x"), p.vector("t")
    sent = sent_by_loop(x, t, listing("LOOP_SIMPLEST"), SoftMax=softmax)
    p.equal("a hot vector sums to 1", p.classes.unit(1).sum(), 1)
    ce = gradient(soft_cross_entropy(t, x), x)
    p.statement("the loop sends the gradient of the cross-entropy, summed over the batch", sent, ce, (t,))


def options_loop(p: Proof) -> None:
    """The mended loop is run on symbols for each option, y standing for what its function returns."""
    x, t, y = p.vector("x"), p.vector("t"), p.vector("y")
    functions = dict.fromkeys(FUNCTIONS, lambda outputs: y)
    for soft in FUNCTIONS:
        names = {name: function if name == soft else _not_called for name, function in functions.items()}
        sent = sent_by_loop(x, t, listing("LOOP_OPTIONS", READING), no_cross_entropy=True, soft_option=soft, **names)
        p.statement(f"with {soft} the loop sends F(x) minus the target in the range of F", sent, y - target(t, soft))
    _cross_entropy_branch(p, listing("LOOP_OPTIONS", READING), x, t)


def _not_called(outputs: Vector) -> Vector:
    raise Open("the loop calls a function that is not the option's")


def _cross_entropy_branch(p: Proof, source: str, x: Vector, t: Vector) -> None:
    loss = loss_of_symbols(soft_cross_entropy, x)
    sent = sent_by_loop(x, t, source, no_cross_entropy=False, soft_option="", loss_function=loss)
    p.statement(
        "with no_cross_entropy false it sends the gradient of the loss", sent, gradient(soft_cross_entropy(t, x), x)
    )


def options_in_torch(findings: Findings) -> None:
    """The mended loop at scores where the functions take exact values, one of them the labelled class."""
    for soft, (scores, values) in EXACT_VALUES.items():
        labels = one_hot(tensor([0]), 4)
        given = tensor([scores])
        names = {"no_cross_entropy": True, "soft_option": soft}
        left = gradient_by_loop(listing("LOOP_OPTIONS", READING), given, labels, **names)
        on, off = (1, -1) if soft in TWO_SIDED else (1, 0)
        right = [[y - (on if i == 0 else off) for i, y in enumerate(values)]]
        findings.same(f"with {soft} the loop sends F(x) - t at x = {scores}", shown(left), shown(tensor(right)))


# Scores at which the soft scores are binary fractions, and those.
EXACT_VALUES: dict[str, tuple[list[float], list[float]]] = {
    "SoftMax": ([1.0, 1.0, 1.0, 1.0], [0.25, 0.25, 0.25, 0.25]),
    "sigmoid": ([0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]),
    "hardsigmoid": ([-3.0, 0.0, 1.5, 3.0], [0.0, 0.5, 0.75, 1.0]),
    "tanh": ([0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
    "hardtanh": ([-2.0, -0.5, 0.25, 2.0], [-1.0, -0.5, 0.25, 1.0]),
}


def options_chain(findings: Findings) -> None:
    """The chain closed by an else, as a chain of options may be; SoftMax is asked for, and does not come."""
    source = listing("LOOP_OPTIONS", READING).replace('elif soft_option=="hardsigmoid":', "else:")
    suppose(findings, "closed by an else the loop parses", misprint(source) is None)
    scores, labels = tensor([[0.0] * 4]), one_hot(tensor([0]), 4)
    for soft in ("tanh", "hardtanh", "sigmoid", "SoftMax"):
        sent = gradient_by_loop(source, scores, labels, no_cross_entropy=True, soft_option=soft)
        wanted = soft_functions()[soft](scores) - (2 * labels - 1 if soft in TWO_SIDED else labels)
        findings.same(
            f"with {soft} it sends F(x) - t", shown(sent), shown(wanted), soft_option=soft, K=4, x=shown(scores)
        )


def options_without_reduction(findings: Findings) -> None:
    """The loops' cross-entropy branch for each reduction of section 4.1."""
    import torch

    scores, labels = torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0, 1])
    for name in ("LOOP_OPTIONS", "LOOP_COMPACT"):
        for reduction in ("mean", "sum", "none"):
            names = {"no_cross_entropy": False, "loss_function": torch.nn.CrossEntropyLoss(reduction=reduction)}
            said = outcome(gradient_by_loop, listing(name, READING), scores, labels, **names)
            findings.holds(
                f"{name} runs with reduction {reduction}", said == RUNS, reduction=reduction, raised=said, n_b=2
            )


def compact(p: Proof) -> None:
    """Loops 2 and 3 are run on symbols for each option, loop 3 with the target in the range of F as its label."""
    x, t, y = p.vector("x"), p.vector("t"), p.vector("y")
    for soft in FUNCTIONS:
        names = {soft: lambda outputs: y, "no_cross_entropy": True, "soft_option": soft}
        long = sent_by_loop(x, t, listing("LOOP_OPTIONS", READING), **names)
        names = {"soft_function": lambda outputs: y, "no_cross_entropy": True}
        short = sent_by_loop(x, target(t, soft), listing("LOOP_COMPACT"), **names)
        p.statement(f"with {soft} loop 3 sends what loop 2 does", short, long)
    _cross_entropy_branch(p, listing("LOOP_COMPACT"), x, t)


# --- Appendix B.2: the class ------------------------------------------------------------------------------------------


def skeleton_parses(findings: Findings) -> None:
    """Its placeholders filled: any parameters, an empty body."""
    source = re.sub(r"<body of \w+>", "pass", listing("SKELETON")).replace("(...)", "(*inputs)")
    parses(findings, "the skeleton, (...) and <body of ...> filled in,", source)


def forward_runs(findings: Findings) -> None:
    """With the parenthesis mended and nothing else."""
    import torch

    balanced = [edit for edit in READING if edit.claim == "B.forward.parses"]
    forward = executed(listing("FORWARD", balanced), torch=torch)["forward"]
    for soft in FUNCTIONS:
        options = {"soft": soft, "num_classes": 2, "eps": 1e-8}
        said = outcome(forward, torch.zeros(1, 2), torch.tensor([0]), options)
        findings.holds(f"forward runs with soft={soft!r}", said == RUNS, soft=soft, raised=said)


def copied(findings: Findings) -> None:
    """The class put together from its listings as they are, and called with its default options."""
    parses(findings, "the class, with its methods put in place of the skeleton's stubs,", assembled())
    scores = tensor([[0.0] * 10]).requires_grad_()
    said = outcome(lambda: isbe_class(()).apply(scores, tensor([0])))
    findings.holds("the class runs with its default options", said == RUNS, raised=said)


def forward_returns(p: Proof) -> None:
    """The mended forward is run on symbols for each option, y standing for the soft scores."""
    y, eps = p.vector("y"), sp.Symbol("eps", real=True)
    t = hot(p, eps)
    for soft, function in FUNCTIONS.items():
        out = forward_on_symbols(p, soft, y, eps)
        if out.called != function:
            raise Open(f"for {soft} forward calls {out.called or 'nothing'}, not {function}")
        p.statement(f"{soft}: soft_scores = F(x), by torch.nn.functional.{function}", out.scores, y)
        p.statement(f"{soft}: soft_errors = F(x) - t", out.errors, y - target(t, soft))
        square = out.errors.dot(out.errors)
        p.statement(
            f"{soft}: mse_soft is the mean of (F(x) - t)^2 over the K classes", out.mse, square / p.classes.size
        )
    p.cites(EACH_ROW)


def forward_in_torch(findings: Findings) -> None:
    """The mended forward at scores where the soft scores are binary fractions; K = 4, eps = 1/16."""
    for soft, (scores, values) in EXACT_VALUES.items():
        options = {"soft": soft, "num_classes": 4, "eps": 1 / 16}
        given = tensor([scores])
        mse, errors, soft_scores = isbe_class().forward(given, tensor([0]), options)
        t = [(2 * value - 1 if soft in TWO_SIDED else value) for value in (13 / 16, 1 / 16, 1 / 16, 1 / 16)]
        right = tensor([[y - goal for y, goal in zip(values, t, strict=True)]])
        findings.same(f"{soft}: the soft scores at x = {scores}", shown(soft_scores), shown(tensor([values])))
        findings.same(f"{soft}: the soft errors", shown(errors), shown(right))
        findings.same(f"{soft}: their mean square", shown(mse), shown((right * right).mean()))


def targets(p: Proof) -> None:
    """The targets of a row labelled 1, before they are mapped into a range: scores less errors, any eps."""
    y, eps = p.vector("y"), sp.Symbol("eps", real=True)
    p.equal("forward has these targets", y - forward_on_symbols(p, "SoftMax", y, eps).errors, hot(p, eps))
    p.cites("any class may be numbered 1")
    p.concludes()


def default_options(findings: Findings) -> None:
    """apply with two arguments, and with the default options given."""
    import torch

    scores, labels = torch.linspace(-4, 4, 30).view(3, 10), torch.tensor([0, 5, 9])

    def sent(*options: Any) -> str:
        leaf = scores.clone().requires_grad_()
        isbe_class().apply(leaf, labels, *options)[0].backward()
        return shown(leaf.grad)

    given = sent({"soft": "SoftMax", "num_classes": 10, "eps": 1e-8})
    findings.same(
        "apply without options does what it does with soft='SoftMax', num_classes=10, eps=1e-8", sent(), given
    )


def hardsigmoid_of_section_4(findings: Findings) -> None:
    """Section 4.1: 0 up to -2, 1 from 2, (x + 2) / 4 between."""
    for x in (Fraction(-3), Fraction(0), Fraction(3, 2), Fraction(3)):
        options = {"soft": "hardsigmoid", "num_classes": 2, "eps": 0.0}
        given = tensor([[float(x)] * 2])
        listed = Fraction(isbe_class().forward(given, tensor([0]), options)[2][0, 0].item())
        printed = min(max((x + 2) / 4, Fraction(0)), Fraction(1))
        findings.same(f"at x = {x} the listing's hardsigmoid is section 4.1's", listed, printed, x=x)


def switch_tensors(findings: Findings) -> None:
    """The two methods are read and run with stand-ins for every tensor."""
    for name in ("SETUP_CONTEXT", "BACKWARD"):
        nodes = list(ast.walk(ast.parse(listing(name))))
        operations = [
            type(node.op).__name__ for node in nodes if isinstance(node, ast.BinOp | ast.UnaryOp | ast.AugAssign)
        ]
        findings.same(f"{name.lower()} has no arithmetic", operations, [])
        calls = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
        findings.holds(
            f"{name.lower()} calls nothing that computes", set(calls) <= {"ctx.set_materialize_grads"}, calls=calls
        )
    methods = executed(listing("SETUP_CONTEXT") + listing("BACKWARD"))
    ctx = SimpleNamespace(set_materialize_grads=lambda value: None)
    inputs, output = (object(), object(), object()), (object(), object(), object())
    methods["setup_context"](ctx, inputs, output)
    returned = methods["backward"](ctx, object(), object(), object())
    findings.holds("backward returns the very soft_errors of forward", returned[0] is output[1])
    expected = len(inspect.signature(executed(listing("FORWARD", READING))["forward"]).parameters)
    findings.same("and None for each other input of forward", returned[1:], (None,) * (expected - 1))


def three_methods(findings: Findings) -> None:
    """A class of two methods: the listing's forward, which keeps the errors on ctx itself, and its backward."""
    import torch

    forward = listing("FORWARD", READING).replace("def forward(raw_scores", "def forward(ctx, raw_scores")
    forward = forward.replace("    return mse_soft", "    ctx.soft_errors = soft_errors\n    return mse_soft")
    methods = executed(forward + listing("BACKWARD"), torch=torch)
    two = {name: staticmethod(methods[name]) for name in ("forward", "backward")}
    scores = torch.linspace(-4, 4, 30).view(3, 10)

    def results(function: Any) -> list[str]:
        leaf = scores.clone().requires_grad_()
        outputs = function.apply(leaf, torch.tensor([0, 5, 9]), {"soft": "SoftMax", "num_classes": 10, "eps": 1e-8})
        outputs[0].backward()
        return [shown(leaf.grad), *map(shown, outputs)]

    shorter = type("TwoMethods", (torch.autograd.Function,), two)
    suppose(
        findings,
        "it computes and sends back, bit by bit, what the class of three does",
        results(shorter) == results(isbe_class()),
    )
    findings.refuted(
        "two methods are enough", methods=", ".join(two), ISBE_func="the same values and gradient, bit by bit"
    )


def direct_call(findings: Findings) -> None:
    """forward is called with the scores of a network in training, and with scores without a graph."""
    function, options = isbe_class(), {"soft": "SoftMax", "num_classes": 2, "eps": 0.0}
    weights, labels = tensor([[0.0, 0.0]]).requires_grad_(), tensor([0])
    said = outcome(function.forward, weights * 1, labels, options)
    findings.holds(
        "called directly with a network's scores, forward raises", said.startswith("RuntimeError"), outcome=said
    )
    said = outcome(function.apply, weights * 1, labels, options)
    findings.holds("by apply it runs", said == RUNS, raised=said)
    said = outcome(function.forward, weights.detach(), labels, options)
    findings.holds("(with scores that require no gradient the direct call runs as well)", said == RUNS, raised=said)


# --- Appendix B.2: the instruction of PyTorch -------------------------------------------------------------------------


def not_the_gradient(findings: Findings) -> None:
    """What autograd makes of forward itself, against what backward returns."""
    import torch

    own = example()
    plain = listing("FORWARD", READING).replace("    soft_scores.requires_grad = False\n", "")
    options = {"soft": "SoftMax", "num_classes": 2, "eps": 0.0}
    value = executed(plain, torch=torch)["forward"](own.scores, torch.tensor([0]), options)[0]
    right = torch.autograd.grad(value, own.scores)[0]
    findings.same(
        "backward returns the gradient of mse_soft", shown(own.gradient(own.mse)), shown(right), x="(0, 0)", label=0
    )


def chain_rule(findings: Findings, edits: Sequence[Edit] = READING) -> None:
    """The value is scaled by 2 and by 0, directly and by PyTorch's gradient scaler."""
    one = example(edits)
    unscaled = one.gradient(one.mse)
    for factor in (2, 0):
        left, right = shown(one.gradient(factor * one.mse)), shown(factor * unscaled)
        findings.same(f"{factor} mse_soft has {factor} times the gradient", left, right, x="(0, 0)", label=0)
    left, right = _step_under_scaler(edits, 4.0), _step_under_scaler(edits, 1.0)
    findings.same("a step under torch.amp.GradScaler does not depend on its scale", left, right)


def _step_under_scaler(edits: Sequence[Edit], scale: float) -> str:
    import torch

    one = example(edits)
    optimizer, scaler = torch.optim.SGD([one.scores], lr=1.0), torch.amp.GradScaler("cpu", init_scale=scale)
    scaler.scale(one.mse).backward()
    scaler.step(optimizer)
    return shown(one.scores.detach())


def other_outputs(findings: Findings) -> None:
    """A value made of the soft scores, and one made of the soft errors, against torch.softmax."""
    own = example()
    right = shown(own.gradient(own.scores.softmax(1)[0, 0]))
    for name, value in (("soft_scores", own.soft_scores), ("soft_errors", own.soft_errors)):
        left = shown(own.gradient(value[0, 0]))
        findings.same(f"the gradient of {name}[0, 0]", left, right, output=f"{name}[0, 0]", x="(0, 0)", label=0)


def second_derivative(findings: Findings) -> None:
    """The first entry of the gradient Y - t is differentiated again; an exception would do as well."""
    own = example()
    first = own.gradient(own.mse, create_graph=True)
    said = outcome(own.gradient, first[0, 0])
    right = shown(own.gradient(own.scores.softmax(1)[0, 0]))
    left = shown(own.gradient(first[0, 0])) if said == RUNS else right
    findings.same("the derivative of (Y - t)_1 is refused, or row 1 of the Jacobian", left, right, x="(0, 0)", label=0)


def flag(findings: Findings) -> None:
    """What apply returns."""
    own = example()
    left = own.soft_scores.requires_grad
    findings.same("the soft scores returned by apply require no gradient", str(left), "False", output="soft_scores")


def cycle(findings: Findings, edits: Sequence[Edit] = READING) -> None:
    """The garbage collector is stopped for the time of the check."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        own = example(edits)
        errors = weakref.ref(own.soft_errors)
        del own
        kept = errors() is not None
        gc.collect()
        later = errors() is not None
    finally:
        if was_enabled:
            gc.enable()
    witness = {"after the last reference is gone": "still there" if kept else "freed"}
    witness["after gc.collect()"] = "still there" if later else "freed"
    findings.holds("the soft errors are freed with the last reference to the results", not kept, **witness)


# --- Appendix B.2: the functions around the class ---------------------------------------------------------------------


def wrapped(p: Proof) -> None:
    """forward, setup_context and backward are run on symbols, and so is the simplest loop, with the blurred label."""
    y, eps = p.vector("y"), sp.Symbol("eps", real=True)
    t = hot(p, eps)
    methods = executed(listing("SETUP_CONTEXT") + listing("BACKWARD"))
    for soft in FUNCTIONS:
        out = forward_on_symbols(p, soft, y, eps)
        ctx = SimpleNamespace(set_materialize_grads=lambda value: None)
        methods["setup_context"](ctx, ("raw_scores", "labels", "options"), (out.mse, out.errors, out.scores))
        sent = methods["backward"](ctx, 1, None, None)[0]
        direct = sent_by_loop(p.vector("x"), target(t, soft), listing("LOOP_SIMPLEST"), SoftMax=lambda outputs: y)
        p.statement(f"with {soft} both forms send the same error", sent, direct)


def wrapped_in_torch(findings: Findings) -> None:
    """Both forms in single precision, with the default eps."""
    import torch

    scores, labels, k = torch.linspace(-4, 4, 80).view(8, 10), torch.arange(8), 10
    hot = torch.nn.functional.one_hot(labels, k) * (1 - k * 1e-8) + 1e-8
    for soft, function in soft_functions().items():
        own = wrappers(soft=soft, num_classes=k, eps=1e-8)
        leaf = scores.clone().requires_grad_()
        own.isbe_backward(own.isbe_func(leaf, labels))
        names = {"soft_function": function, "no_cross_entropy": True}
        direct = gradient_by_loop(listing("LOOP_COMPACT"), scores, 2 * hot - 1 if soft in TWO_SIDED else hot, **names)
        findings.same(f"with {soft} both forms send the same error, bit by bit", shown(leaf.grad), shown(direct))


def wrappers_run(findings: Findings) -> None:
    """A stand-in for ISBE_func returns what it is applied to."""
    isbe, options = SimpleNamespace(apply=lambda *given: given), {"soft": "tanh", "num_classes": 3, "eps": 0.0}
    source = listing("ISBE_FUNC_WITH_OPTIONS") + listing("ISBE_FUNC")
    own = executed(source, ISBE_func=isbe, ex=SimpleNamespace(loss_options=options))
    findings.same("isbe_func_ applies to its arguments", own["isbe_func_"]("x", "t", options), ("x", "t", options))
    own["isbe_func_"] = lambda *given, **named: ((given, named), "errors", "scores")
    findings.same(
        "isbe_func hands over the options of ex, and returns the first part",
        own["isbe_func"]("x", "t"),
        (("x", "t"), {"options": options}),
    )


def backward_wrapper(findings: Findings) -> None:
    """Called with what its parameter names: the soft errors, as ISBE_func returns them."""
    own = example()
    backward = executed(listing("ISBE_BACKWARD"))["isbe_backward"]
    said = outcome(backward, own.soft_errors)
    shape = tuple(own.soft_errors.shape)
    findings.holds("isbe_backward(soft_error) runs", said == RUNS, soft_error=f"a tensor of shape {shape}", raised=said)


def backward_of_the_value(findings: Findings) -> None:
    """The value of isbe_func itself, no stand-in, for each option."""
    labels = tensor([0])
    for soft in FUNCTIONS:
        own = wrappers(soft=soft, num_classes=4, eps=1 / 16)

        def sent(back: Any, own: SimpleNamespace = own) -> str:
            leaf = tensor([[-2.0, -0.5, 0.25, 2.0]]).requires_grad_()
            back(own.isbe_func(leaf, labels))
            return shown(leaf.grad)

        by_wrapper, by_method = sent(own.isbe_backward), sent(lambda value: value.backward())
        findings.same(
            f"{soft}: isbe_backward(isbe_func(x, t)) sends what the method backward does", by_wrapper, by_method
        )


def cross_entropy_names(reduction: str, functional: Any = None) -> SimpleNamespace:
    """The names of the last listing, with these options in ex."""
    import torch

    options = {"reduction": reduction, "label_smoothing": 0.125}
    ex = SimpleNamespace(batch_size=4, device="cpu", loss_options=options)
    return SimpleNamespace(
        **executed(listing("CROSS_ENTROPY"), torch=torch, ex=ex, F=functional or torch.nn.functional)
    )


def options_handed_over(findings: Findings) -> None:
    """A stand-in for F.cross_entropy returns what it is called with."""
    functional = SimpleNamespace(cross_entropy=lambda *given, **options: (given, options))
    for reduction in ("none", "mean", "sum"):
        own = cross_entropy_names(reduction, functional=functional)
        wanted = (("x", "t"), {"reduction": reduction, "label_smoothing": 0.125})
        findings.same(
            f"reduction {reduction}: scores, labels and both options", own.cross_entropy_func("x", "t"), wanted
        )


def none_is_sum(findings: Findings) -> None:
    """Every batch up to ex.batch_size, and one that is larger."""
    import torch

    def sent(reduction: str, rows: int) -> str:
        leaf, own = torch.linspace(-2, 2, 3 * rows).view(rows, 3).requires_grad_(), cross_entropy_names(reduction)
        own.ce_backward(own.cross_entropy_func(leaf, torch.arange(rows) % 3))
        return shown(leaf.grad)

    for rows in range(1, 5):
        findings.same(
            f"none and sum send the same, n_b = {rows}", sent("none", rows), sent("sum", rows), n_b=rows, batch_size=4
        )
    findings.cites("backward with a vector of ones differentiates the sum of the losses (torch.Tensor.backward)")
    said = outcome(sent, "none", 5)
    findings.holds("a batch larger than ex.batch_size is refused with an exception", said != RUNS, n_b=5, batch_size=4)


# --- a version that is right ------------------------------------------------------------------------------------------


def mended(p: Proof) -> None:
    """The methods with all edits are run on symbols, with an arbitrary gradient g arriving from the loss."""
    y, eps, g = p.vector("y"), sp.Symbol("eps", real=True), sp.Symbol("g", real=True)
    t = hot(p, eps)
    edits = READING + REPAIR
    methods = executed(listing("SETUP_CONTEXT", edits) + listing("BACKWARD", edits))
    for soft in FUNCTIONS:
        out = forward_on_symbols(p, soft, y, eps, edits)
        ctx = SimpleNamespace(saved_tensors=())
        ctx.set_materialize_grads = ctx.mark_non_differentiable = lambda *given: None
        ctx.save_for_backward = lambda *tensors, ctx=ctx: setattr(ctx, "saved_tensors", tensors)
        methods["setup_context"](ctx, ("raw_scores", "labels", "options"), (out.mse, out.errors, out.scores))
        sent = methods["backward"](ctx, g, None, None)[0]
        p.statement(f"with {soft} it sends g (F(x) - t)", sent, (y - target(t, soft)) * g)


def mended_in_torch(findings: Findings) -> None:
    """What the edits are there for."""
    edits = READING + REPAIR
    parses(findings, "the class", assembled(edits))
    own = example(edits)
    before = example()
    for name in ("mse", "soft_errors", "soft_scores"):
        findings.same(f"{name} is as before", shown(getattr(own, name)), shown(getattr(before, name)))
    chain_rule(findings, edits)
    cycle(findings, edits)
    for name in ("soft_errors", "soft_scores"):
        findings.same(f"{name} requires no gradient", str(getattr(own, name).requires_grad), "False")
    for name, value in (("mse_soft", own.mse), ("mse_soft^2", own.mse**2)):
        said = outcome(own.gradient, own.gradient(value, create_graph=True)[0, 0])
        findings.holds(f"second derivatives of {name} are refused", said.startswith("RuntimeError"), outcome=said)


# --- the claims -------------------------------------------------------------------------------------------------------

HOT = r"$y^\circ \in [0,1]^K, \ \sum_k y^\circ_k = 1$"
TARGETS = "epsilon: real; e = [k:K] delta(k, 1); t = (1 - K*epsilon)*e + epsilon"  # of a row labelled 1
AS_READ = "the listing with its misprints mended: B.skeleton, B.forward.parses, B.forward.runs"

CODE_CLAIMS = (
    Claim(
        id="S3.code.ce",
        title="the loop with cross-entropy runs and trains by its gradient",
        statement="The first loop, with an nn.CrossEntropyLoss as loss_function, parses, runs, and leaves the gradient "
        "of the loss in the parameters, for labels given as class indices and as vectors.",
        source="section 3, first listing",
        quote="This is what the code looks like when `loss_function` is chosen as `nn.CrossEntropyLoss`",
        proof=first_loop_on_symbols,
        checks=(Check(TORCH, first_loop, "one batch for each kind of labels"),),
    ),
    Claim(
        id="S3.code.isbe",
        title="the loop with the soft error runs and sends SoftMax(x) - t",
        statement=r"The second loop parses, runs, calls zero_grad, backward and step in this order, and sends "
        r"$\text{SoftMax}(x) - y^\circ$ to the scores $x$, for labels given as vectors $y^\circ$.",
        source="section 3, second listing",
        quote="Now we introduce the ISBE option for `SoftMax` activation",
        proof=second_loop,
        checks=(Check(TORCH, second_loop_parses, "one batch, K = 4"),),
    ),
    Claim(
        id="S3.code.swap",
        title="replacing the call of nn.CrossEntropyLoss() keeps the error",
        statement="The two loops send the same error to the scores when loss_function is an nn.CrossEntropyLoss as it "
        "comes: with its default reduction, the mean over the batch.",
        source="section 3, the two listings",
        quote="replace the call for loss function by soft error calculation",
        hypotheses=(HOT,),
        checks=(Check(TORCH, swapped_in_torch, "scores of zero, K = 2, two examples"),),
        repaired_by="S3.code.swapr",
    ),
    Claim(
        id="S3.code.swapr",
        title='replacing nn.CrossEntropyLoss(reduction="sum") keeps the error',
        statement='The two loops send the same error to the scores when loss_function has reduction="sum"; with '
        'reduction="mean" the first sends 1/n_b of it, n_b being the size of the batch.',
        source="repair of section 3, the two listings",
        hypotheses=(HOT,),
        proof=swapped,
    ),
    Claim(
        id="S3.code.labels",
        title="both loops take the same labels",
        statement="Whatever labels nn.CrossEntropyLoss takes in the first loop, class indices as well as vectors, the "
        "second loop takes too.",
        source="section 3, the two listings, read as one program with one tgen",
        quote="replace the call for loss function by soft error calculation",
        checks=(Check(TORCH, labels_of_both, "two classes, batches of three and of two examples"),),
        repaired_by="S3.code.isbe",
        correction="Labels must be vectors (one-hot or softened, floating-point), which the first loop takes as well. "
        "Class indices raise an exception, or are broadcast to a wrong error without one if n_b = K.",
    ),
)

BY = {
    "B.simplest": by(as_printed("LOOP_SIMPLEST"), hypotheses=(HOT,), proof=simplest),
    "B.options.parses": by(as_printed("LOOP_OPTIONS")),
    "B.options": by(Check(TORCH, options_in_torch, "each option at exact values, K = 4"), proof=options_loop),
    "B.options.chain": by(Check(TORCH, options_chain, "four options, scores of zero, K = 4")),
    "B.options.none": by(Check(TORCH, options_without_reduction, "three reductions, a batch of two examples")),
    "B.compact": by(as_printed("LOOP_COMPACT"), proof=compact),
    "B.copy": by(Check(PYTHON, copied, "the class")),
    "B.three-methods": by(
        Check(TORCH, three_methods, "a class of two methods on three examples, K = 10"), hypotheses=(AS_READ,)
    ),
    "B.skeleton": by(Check(PARSER, skeleton_parses, "the listing")),
    "B.forward.parses": by(as_printed("FORWARD")),
    "B.forward.runs": by(Check(TORCH, forward_runs, "the five options")),
    "B.forward": by(
        Check(TORCH, forward_in_torch, "each option at exact values, K = 4, eps = 1/16"),
        hypotheses=(AS_READ,),
        proof=forward_returns,
    ),
    "B.targets": by(let=TARGETS, hypotheses=(AS_READ,), proof=targets),
    "B.blur": by(let=f"{TARGETS}; mu = (K - 1)*epsilon", hypotheses=(AS_READ,), proof=targets),
    "B.smoothing": by(
        let=f"{TARGETS}; s = K*epsilon",
        hypotheses=(AS_READ, "label_smoothing is as nn.CrossEntropyLoss documents it"),
        proof=targets,
    ),
    "B.defaults": by(Check(TORCH, default_options, "three examples"), hypotheses=(AS_READ,)),
    "B.hardsigmoid": by(Check(TORCH, hardsigmoid_of_section_4, "x = -3, 0, 3/2, 3"), hypotheses=(AS_READ,)),
    "B.others.parse": by(
        as_printed("SETUP_CONTEXT", "BACKWARD", "ISBE_FUNC_WITH_OPTIONS", "ISBE_FUNC", "ISBE_BACKWARD", "CROSS_ENTROPY")
    ),
    "B.switch": by(Check(PYTHON, switch_tensors, "both methods")),
    "B.apply": by(Check(TORCH, direct_call, "one example, K = 2"), hypotheses=(AS_READ,)),
    "B.gradcheck": by(Check(TORCH, not_the_gradient, "scores of zero, K = 2, one example"), hypotheses=(AS_READ,)),
    "B.chain-rule": by(
        Check(TORCH, chain_rule, "factors 2 and 0; torch.amp.GradScaler; one example"), hypotheses=(AS_READ,)
    ),
    "B.outputs": by(Check(TORCH, other_outputs, "scores of zero, K = 2, one example"), hypotheses=(AS_READ,)),
    "B.second": by(Check(TORCH, second_derivative, "scores of zero, K = 2, one example"), hypotheses=(AS_READ,)),
    "B.flag": by(Check(TORCH, flag, "one example, K = 2"), hypotheses=(AS_READ,)),
    "B.cycle": by(Check(TORCH, cycle, "one example, the garbage collector stopped"), hypotheses=(AS_READ,)),
    "B.wrapped": by(
        Check(TORCH, wrapped_in_torch, "eight examples for each option, float32, K = 10"),
        hypotheses=(AS_READ, "class indices are the labels of ISBE_func, vectors those of the loops"),
        proof=wrapped,
    ),
    "B.isbe-func": by(Check(PYTHON, wrappers_run, "both functions, ISBE_func a stand-in")),
    "B.isbe-backward": by(Check(TORCH, backward_wrapper, "one example, K = 2"), hypotheses=(AS_READ,)),
    "B.isbe-backward-r": by(
        Check(TORCH, backward_of_the_value, "one example for each option, K = 4"), hypotheses=(AS_READ,)
    ),
    "B.ce-func": by(Check(PYTHON, options_handed_over, "three reductions, F a stand-in")),
    "B.ce-backward": by(Check(TORCH, none_is_sum, "ex.batch_size = 4, batches of 1 to 5 examples")),
    "B.mended": by(Check(TORCH, mended_in_torch, "one example, K = 2"), proof=mended),
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
