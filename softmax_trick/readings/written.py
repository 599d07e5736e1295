"""Canonical forms as text, for the steps of a reduction."""

from __future__ import annotations

from fractions import Fraction

from softmax_trick.readings.canonical import Factor, Key, Monomial, Place, Polynomial

LETTERS = "klmnopqrsabcdefgh"
MOST = 600  # characters of a form that are shown


def written(value: Polynomial) -> str:
    """A canonical form in words: sums of products, sum_k for a sum over an axis."""
    text = _polynomial(value) if value else "0"
    return text if len(text) <= MOST else f"{text[:MOST]} ... ({len(value)} terms)"


def _polynomial(value: Polynomial | Key) -> str:
    pairs = value.items() if isinstance(value, dict) else value
    terms = sorted((_monomial(monomial), Fraction(int(c.p), int(c.q))) for monomial, c in pairs)
    text = ""
    for monomial, coefficient in terms:
        sign = " - " if coefficient < 0 else " + "
        size = abs(coefficient)
        number = "" if size == 1 and monomial else (f"{size}*" if monomial else f"{size}")
        text += sign + number + monomial
    text = text.removeprefix(" + ")
    return f"-{text[3:]}" if text.startswith(" - ") else text


def _monomial(monomial: Monomial) -> str:
    return "*".join(sorted(_power(factor, exponent) for factor, exponent in monomial))


def _power(factor: Factor, exponent: int | Fraction) -> str:
    text = _factor(factor)
    if factor.kind == "exp":
        times = "" if exponent == 1 else f"{exponent}*"
        return f"exp({times}{_monomial(factor.data) or '1'})"
    if exponent == 1:
        return text
    return f"{text}**{exponent}" if isinstance(exponent, int) and exponent > 0 else f"{text}**({exponent})"


def _factor(factor: Factor) -> str:
    match factor.kind:
        case "entry":
            name, places = factor.data
            return f"{name}[{', '.join(map(_place, places))}]" if places else name
        case "delta":
            return f"({_place(factor.data[0])}=={_place(factor.data[1])})"
        case "size" | "prime":
            return str(factor.data)
        case "exp":
            return f"exp({_monomial(factor.data)})"
        case "log":
            return f"log({_polynomial(factor.data)})"
        case "normal":
            return f"normal_cdf({_polynomial(factor.data)})"
        case "step":
            return f"({_polynomial(factor.data)} > 0)"
        case "sum":
            bounds, body = factor.data
            return f"sum_{''.join(map(_place, bounds))}({_monomial(body)})"
        case _:
            return f"({_polynomial(factor.data)})"


def _place(place: Place) -> str:
    match place[0]:
        case "label":
            return f"{place[2]}[{', '.join(map(_place, place[3]))}]" if place[3] else str(place[2])
        case "largest":
            return "argmax"
        case "bound" | "fresh":
            return LETTERS[(place[2] - 1) % len(LETTERS)]
        case _:
            return str(place[2])
