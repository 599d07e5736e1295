"""A check as a sequence of finite facts, each looked at exactly: what `Proof` is to theorems, this is to the rest.

The tables of the paper, the shapes of its networks, its listings and its piecewise formulas are decided so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from softmax_trick.ledger.steps import Open, Refuted, Steps, as_text
from softmax_trick.measurements.figure import Figure

if TYPE_CHECKING:
    import z3


@dataclass
class Findings(Steps):
    """The facts that one run of a check has established.

    Attributes:
        figures: what was measured on the way.
    """

    figures: list[Figure] = field(default_factory=list)

    def holds(self, text: str, condition: bool, **witness: Any) -> None:
        """A fact of which the claim consists: if it is not so, the claim is refuted.

        Raises:
            Refuted: it is not so; the witness says where.
        """
        if not condition:
            raise Refuted(f"not so: {text}", as_text(witness))
        self.established(text)

    def shows(self, text: str, condition: bool) -> None:
        """A fact on the way to a counterexample: if it is not so, nothing is shown.

        Raises:
            Open: it is not so.
        """
        if not condition:
            raise Open(f"the step '{text}' is not so")
        self.established(text)

    def same(self, text: str, left: Any, right: Any, **witness: Any) -> None:
        """Two exact values (integers, fractions, strings, tuples of them) that the claim says are equal.

        Raises:
            Refuted: they differ.
            TypeError: one of them is a floating-point number.
        """
        if isinstance(left, float) or isinstance(right, float):
            raise TypeError("floating-point numbers are not compared for equality: use exact values")
        self.holds(text, left == right, **witness, left=left, right=right)

    def valid(self, text: str, formula: z3.BoolRef) -> None:
        """A formula over the reals that the claim says holds for all values of its variables; decided by z3.

        Raises:
            Refuted: z3 found values for which it does not hold.
            Open: z3 could not decide it.
        """
        import z3

        solver = z3.Solver()
        solver.set("timeout", 10_000)  # milliseconds
        solver.add(z3.Not(formula))
        answer = solver.check()
        if answer == z3.sat:
            model = solver.model()
            values = {str(variable): model[variable] for variable in sorted(model.decls(), key=str)}
            raise Refuted(f"not so: {text}", as_text(values))
        if answer != z3.unsat:
            raise Open(f"the step '{text}' is undecided: z3: {solver.reason_unknown()}")
        self.established(text, "z3: its negation is unsatisfiable")

    def figure(self, figure: Figure) -> None:
        """A figure that was measured; it is evidence on the rung "sampled"."""
        self.figures.append(figure)
