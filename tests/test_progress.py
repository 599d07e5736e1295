"""How far long work has come: a bar on a terminal, elsewhere a line a minute."""

from __future__ import annotations

import io
import sys
import time

import pytest

from softmax_trick.cli import main
from softmax_trick.system import progress
from softmax_trick.system.progress import progress_of


@pytest.fixture
def soon(monkeypatch):
    """A minute of these tests takes a twentieth of a second."""
    monkeypatch.setattr(progress, "INTERVAL", 0.05)


class Log(io.StringIO):
    """Standard error, as a file or as a terminal."""

    def __init__(self, monkeypatch, is_terminal=False):
        super().__init__()
        self.is_terminal = is_terminal
        monkeypatch.setattr(sys, "stderr", self)

    def isatty(self):
        return self.is_terminal

    def says(self, text, seconds=10.0):
        """Wait until that is there."""
        end = time.monotonic() + seconds
        while text not in self.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
        return text in self.getvalue()


def test_a_log_gets_lines_while_one_piece_takes_long(monkeypatch, soon):
    log = Log(monkeypatch)
    with progress_of("table3", 1200, "epochs", done=3) as advance:
        assert log.says("table3: 3 of 1,200 epochs, after 0 min")
        advance("run 1")
        assert log.says("table3: 4 of 1,200 epochs, run 1, after 0 min")
        advance("run 2", 1100)
        assert log.says("table3: 1,100 of 1,200 epochs, run 2, after 0 min")
    said = log.getvalue()
    time.sleep(0.2)
    assert log.getvalue() == said


def test_work_of_less_than_a_minute_is_silent_and_so_is_what_is_not_shown(monkeypatch):
    log = Log(monkeypatch)
    with progress_of("verify", 2, "claims") as advance:
        advance("A1")
    monkeypatch.setattr(progress, "INTERVAL", 0.001)
    with progress_of("verify", 2, "claims", shown=False) as advance:
        advance("A1")
        time.sleep(0.05)
    assert log.getvalue() == ""


def test_the_thread_ends_with_work_that_fails(monkeypatch, soon):
    log = Log(monkeypatch)
    with pytest.raises(KeyboardInterrupt), progress_of("verify", 2, "claims"):
        raise KeyboardInterrupt
    time.sleep(0.1)
    assert "verify" not in log.getvalue()


@pytest.mark.parametrize(("term", "bar"), [("xterm", True), ("dumb", False)])
def test_a_terminal_gets_a_bar_unless_it_cannot_go_back(monkeypatch, soon, term, bar):
    log = Log(monkeypatch, is_terminal=True)
    monkeypatch.setenv("TERM", term)
    with progress_of("verify", 2, "claims") as advance:
        advance("A1")
        assert log.says("1/2" if bar else "verify: 1 of 2 claims, A1")
    assert ("━" in log.getvalue()) == bar


def test_every_command_that_takes_long_tells_it(monkeypatch, soon, capsys, tmp_path, trainer):
    """Each of them, with a piece of work that lasts until a line is there."""
    from softmax_trick.experiments import sweep as sweeps
    from softmax_trick.ledger.run import Ledger
    from softmax_trick.proofs import mutants
    from softmax_trick.training import loop
    from softmax_trick.training.step import training_step

    def slowly(function):
        def slow(*arguments, **names):
            time.sleep(0.12)
            return function(*arguments, **names)

        return slow

    monkeypatch.setenv("SOFTMAX_TRICK_CACHE", str(tmp_path / "cache"))  # no evidence is kept for other tests
    monkeypatch.setattr(Ledger, "gather", slowly(lambda *_: ()))
    assert main(["verify", "T1.1r", "--fresh"]) == 1  # without evidence it is undecided
    assert "verify: 0 of 1 claims, T1.1r, after 0 min\n" in capsys.readouterr().err
    monkeypatch.setattr("softmax_trick.proofs.mutants.catalogue", lambda: mutants.WRITTEN[:1])
    assert main(["mutants"]) == 1
    assert "mutants: 0 of 1 mutants, after 0 min\n" in capsys.readouterr().err
    monkeypatch.setattr(sweeps, "sweep", slowly(lambda runs, *rest: [rest[-1](7, 1)] and slowly(list)()))
    monkeypatch.setattr(sweeps, "collect", lambda out: [])
    assert main(["sweep", "table3", "--out", str(tmp_path), "--device", "cpu"]) == 0
    assert "epochs, 1 runs complete, after 0 min\n" in capsys.readouterr().err
    monkeypatch.setattr(loop, "training_step", slowly(training_step))
    assert trainer("--epochs", "1") == 0
    assert "n0 softmax: 1 of 4 steps, epoch 1 of 1, step 1, after 0 min\n" in capsys.readouterr().err
