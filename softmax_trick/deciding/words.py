"""Decisions in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softmax_trick.deciding.decision import Decision

MOST_CHARACTERS = 100  # of what was put in for a name, to be shown
TRUE = {"==": "equal", "psd": "positive semidefinite", "conservative": "the gradient of something"}
FALSE = {"==": "not equal", "psd": "not positive semidefinite", "conservative": "the gradient of nothing"}


def in_words(decision: Decision) -> str:
    """A decision, with its conditions, its counterexample and the nearest right formula, or its reason."""
    from softmax_trick.language.text import to_text

    match decision.verdict:
        case "proved":
            word = verdict_in_words(decision)
            if decision.relation == "conservative" and decision.conditions:
                word = "locally, and on every simply connected domain, the gradient of something"
            return "\n".join([f"{word} {decision.scope}{where(decision.conditions)}", *_put(decision)])
        case "refuted":
            lines = counterexample(decision)
            if decision.nearest is not None:
                lines.append(f"right, for every size, would be: {to_text(decision.nearest)}    ({decision.slip})")
            return "\n".join([*lines, *_put(decision)])
    return f"undecided: {decision.reason}"


def _put(decision: Decision) -> list[str]:
    """What was put in for names, where that fits a line."""
    return [f"  with {one}" for one in decision.put if len(one) <= MOST_CHARACTERS]


def verdict_in_words(decision: Decision) -> str:
    """A verdict in a word or two, as the kind of statement has it."""
    match decision.verdict:
        case "proved":
            return TRUE.get(decision.relation, "true")
        case "refuted":
            return FALSE.get(decision.relation, "false")
    return "undecided"


def where(conditions: Sequence[str]) -> str:
    """The conditions of a decision, after its scope."""
    return f", where {' and '.join(conditions)}" if conditions else ""


def counterexample(decision: Decision) -> list[str]:
    """The point at which it is false, and the values of both sides there."""
    false, witness = verdict_in_words(decision), decision.witness
    if witness is None:
        return [f"{false}: {decision.reason}" if decision.reason else false]
    given = [f"{name} = {value}" for name, value in (witness.sizes | witness.indices).items()]
    lines = [f"{false}, at {', '.join(given)}:" if given else f"{false}:"]
    lines += [f"  {name} = {_plain(value)}" for name, value in witness.values.items()]
    entry = f"[{', '.join(map(str, witness.position))}]" if witness.position else ""
    left, right = _sides(decision.relation, entry)
    width = max(len(left), len(right))
    return [*lines, f"  {left:{width}} = {witness.left}", f"  {right:{width}} = {witness.right}"]


def _sides(relation: str, entry: str) -> tuple[str, str]:
    """What the two numbers of a witness are."""
    match relation:
        case "psd":
            return "bound", "v^T M v"
        case "conservative":
            return "dF_i/dx_j", "dF_j/dx_i"
        case _:
            return f"left{entry}", f"right{entry}"


def _plain(value: Any) -> str:
    return f"[{', '.join(map(_plain, value))}]" if isinstance(value, list | tuple) else str(value)
