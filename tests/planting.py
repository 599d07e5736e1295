"""Errors planted in the texts of claims and of the steps of their proofs."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools

from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import CLAIMS


def result(name, old="", new=""):
    """What the ledger says of a claim, alone, in whose formulas and declarations one text stands for another."""
    claim = CLAIMS[name]
    changed = dataclasses.replace(
        claim,
        formulas=tuple(one.replace(old, new) for one in claim.formulas),
        let=claim.let.replace(old, new),
        sample=None,
    )
    if changed == claim:
        raise ValueError(f"{name} does not say {old!r}")
    return Ledger({name: changed}).result(name)


def in_steps(monkeypatch, old, new):
    """In every step, one text stands for another."""
    right = Proof.shows

    def shows(self, *formulas, let="", **more):
        right(self, *(one.replace(old, new) for one in formulas), let=let.replace(old, new), **more)

    monkeypatch.setattr(Proof, "shows", shows)


def at_step(monkeypatch, number):
    """The formula of one step, counted over a whole proof, is wrong: 1 is added, or the order turned."""
    right, count = Proof.shows, itertools.count()

    def shows(self, *formulas, **more):
        right(self, *(_off(one) if next(count) == number else one for one in formulas), **more)

    monkeypatch.setattr(Proof, "shows", shows)


def _off(formula):
    if " == " in formula:
        return f"{formula} + 1"
    return formula.translate(str.maketrans("<>", "><"))


def steps(proof):
    """How many formulas the steps of a proof show."""
    recorder = _Counter()
    with contextlib.suppress(StopIteration):
        proof(recorder)
    return recorder.formulas


class _Counter(Proof):
    formulas = 0

    def shows(self, *formulas, **_):
        self.formulas += len(formulas)

    def concludes(self, *_, **__):
        pass

    def supposes(self, *_):
        pass

    def equal(self, *_):
        pass

    def _sign(self, *_):
        pass

    def refuted(self, *_, **__):
        raise StopIteration
