"""Errors planted in the symbolic core are noticed: here a sample, by `softmax-trick mutants --core` all of them."""

from __future__ import annotations

import pytest

from softmax_trick import cli
from softmax_trick.ledger import planted
from softmax_trick.ledger.planted import PLANTED
from softmax_trick.proofs import mutants

ISSUE = (
    "zero if the numerator has two terms whose coefficients sum to 0",
    "exp(x/2) is taken as exp(x)",
    "i and j are always different",
)
BY_NAME = {error.name: error for error in PLANTED}
SAMPLE = [*ISSUE, *list(BY_NAME)[6::9]]


def test_there_are_many_and_each_is_named_once():
    assert len(PLANTED) >= 40
    assert len(BY_NAME) == len(PLANTED)
    assert BY_NAME.keys() >= set(ISSUE)


def test_without_an_error_no_statement_is_answered_otherwise():
    assert planted._by_statements() is None


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_planted_error_is_noticed(name):
    by = mutants.noticed(BY_NAME[name])
    assert by
    assert by == "the replay" or name not in ISSUE


def test_the_command_says_what_was_not_noticed(monkeypatch, capsys):
    monkeypatch.setattr(planted, "PLANTED", PLANTED[:2])
    monkeypatch.setattr(mutants, "noticed", lambda error: "the replay" if error == PLANTED[0] else None)
    assert cli.main(["mutants", "--core"]) == 1
    assert "2 errors planted in the core: 1 noticed, 1 not" in capsys.readouterr().out
