"""Whether the hypotheses of a statement say what a decision asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from softmax_trick.language.expression import Apply, Expression, LanguageError, Number, Size, Spread
from softmax_trick.language.grammar import parse
from softmax_trick.language.proposition import Related
from softmax_trick.language.text import declarations, to_text

_AN_ENTRY = re.compile(r"\[[\w', ]+\]")
_OF_A_SIGN = re.compile(r"(.*) (!=|>) 0")
_NOT_OF_SIZE = re.compile(r"(\w+) - (\d+) != 0")


def said_by(condition: str, hypotheses: Sequence[Related]) -> bool:
    """Whether hypotheses say what a decision asks for, in words such as "y != 0".

    y > 0 says that y != 0, too, and so are its entries, and its products with others; K >= 2, that K - 1 is not 0.
    """
    texts = {repr(one) for one in hypotheses} | {_to_zero(one) for one in hypotheses}
    if {condition, condition.replace("!=", ">")} & texts:
        return True
    # A name that is no size has no least value here but 1: x - 0 != 0, of a number x, is said by nothing.
    if (size := _NOT_OF_SIZE.fullmatch(condition)) and 0 < int(size[2]) < _least(size[1], hypotheses):
        return True
    found = _OF_A_SIGN.fullmatch(_AN_ENTRY.sub("", condition))
    if found is None:
        return False
    try:
        factors = factors_of(parse(found[1], declarations(*hypotheses)))
    except LanguageError:
        return False
    wanted = ({f"{to_text(one)} {found[2]} 0", f"{to_text(one)} > 0"} for one in factors)
    return all(one & texts for one in wanted)


def _to_zero(one: Related) -> str:
    """A comparison with 0, whichever side it stands on."""
    if len(one.sides) < 2:
        return ""
    left, right = (unspread(side) for side in one.sides)
    turned = {"<": ">", "!=": "!="}.get(one.relation)
    if turned and isinstance(left, Number) and left.value == 0:
        return f"{to_text(right)} {turned} 0"
    return f"{to_text(left)} {one.relation} {to_text(right)}"


def unspread(side: Expression) -> Expression:
    """A side of a relation without the axes that it was given for the other side's sake."""
    while isinstance(side, Spread):
        side = side.argument
    return side


def _least(size: str, hypotheses: Sequence[Related]) -> int:
    found = [1]
    for one in hypotheses:
        match one:
            case Related(">=", (Size(name), Number(value))) if name == size:
                found.append(int(value) if value.denominator == 1 else int(value) + 1)
            case Related(">", (Size(name), Number(value))) if name == size:
                found.append(int(value) + 1)
    return max(found)


def factors_of(product: Expression) -> list[Expression]:
    """What it is the product and the quotient of: its sign and its zeros follow from theirs."""
    if isinstance(product, Apply) and product.function in ("multiply", "divide"):
        return [factor for one in product.arguments for factor in factors_of(one)]
    return [product]
