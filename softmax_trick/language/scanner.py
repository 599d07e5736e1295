"""The tokens of a formula, and the guards of the grammar: length, depth, digits, names, strange characters."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from fractions import Fraction

from softmax_trick.language.expression import LanguageError

MAX_CHARACTERS = 10_000  # of one text; so of the following
MAX_NODES = 5_000  # numbers, names and operations
MAX_DEPTH = 100  # of parentheses, signs and exponents as written
MAX_DIGITS = 50  # of a number as written, zeros that its exponent adds included
MAX_NAME = 50  # characters
MAX_POWER = 64  # the greatest power of anything but a number; also of a number, if it is written
MAX_ROOT = 1_000  # the greatest denominator of an exponent
MAX_FACTORS = 10_000  # digits and names once x1**3 is written as x1*x1*x1
MAX_RESULT = 500  # the greatest power of ten that a constant, its numerator or its denominator may reach

# What readers take for a constant, and would be an innocent parameter here.
CONSTANTS = {
    "e": "write exp(1)",
    "E": "write exp(1)",
    "pi": "write its digits",
    "I": "all numbers are real",
    "inf": "all numbers are finite",
    "oo": "all numbers are finite",
    "zoo": "all numbers are finite",
    "nan": "all numbers are finite",
}

# Functions that go by another name elsewhere.
SPELLINGS = {
    "Piecewise": "where(condition, value, otherwise)",
    "Heaviside": "step(u), or where(u > 0, 1, 0)",
    "ln": "log(u)",
    "pow": "u**v",
    "expit": "sigmoid(u)",
    "logistic": "sigmoid(u)",
    "swish": "silu(u)",
    "cross_entropy": "ce(t, y), or softce(t, x) of scores",
}

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*°?'*)"
    r"|(?P<operator>\*\*|<=|>=|==|!=|\.T(?![A-Za-z0-9_])|[-+*/@(),<>\[\]:;=])"
)
_SPACE = re.compile(r"[ \t\r\n]*")
_EXPECTED = "expected numbers, names (letter first), + - * / ** @ ( ) [ ] , : < <= == >= >"
_COMPARISONS = "; comparisons stand in parentheses, or are arguments, as in where(x > 0, a, b)"
_STRANGE = {
    "^": "write ** for powers",
    ".": "the only attribute is .T, the transpose",
    "{": "write parentheses",
    "!": "unequal is !=, between the sides of a statement",
    "_": "names begin with a letter",
    '"': "there are no strings",
    "'": "a prime stands right after a name",
}


class Source:
    """A text, with the name by which errors speak of it.

    Attributes:
        name: "left side", "--let", ...; "" where there is one text only.
        text: the text.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def error(self, message: str, column: int, kind: type[LanguageError] = LanguageError) -> LanguageError:
        """An error with the place in the text."""
        line, caret = excerpt(self.text, column)
        where = f"{self.name}, column {column + 1}" if self.name else f"column {column + 1}"
        error = kind(f"{where}: {message}\n  {line}\n  {caret}")
        error.at = column
        return error


class Scanner:
    """Takes the tokens of a text one by one, so that the leftmost fault is the one reported.

    Attributes:
        source: the text, with its name.
        text: the text.
        kind: of the token at hand: "number", "name", "operator" or "end".
        token: the token at hand; "" at the end.
        column: where it stands, from 0.
    """

    def __init__(self, source: Source) -> None:
        self.source, self.text = source, source.text
        self.kind = self.token = ""
        self.column = self._end = self._nodes = 0

    def error(self, message: str, column: int | None = None) -> LanguageError:
        """The error to raise; at the token at hand, where no column is given."""
        return self.source.error(message, self.column if column is None else column)

    def start(self, what: str) -> None:
        """Take the first token.

        Raises:
            LanguageError: the text is empty or too long.
        """
        if len(self.text) > MAX_CHARACTERS:
            raise self.error(f"{len(self.text)} characters: at most {MAX_CHARACTERS}", MAX_CHARACTERS)
        self.advance()
        if self.kind == "end":
            raise self.error(f"the {what} is empty: expected a formula")

    def advance(self) -> None:
        """Take the next token.

        Raises:
            LanguageError: a character that begins none.
        """
        space = _SPACE.match(self.text, self._end)
        self.column = space.end() if space else self._end
        if self.column == len(self.text):
            self.kind, self.token = "end", ""
            return
        match = _TOKEN.match(self.text, self.column)
        if not match:
            raise self._strange(self.text[self.column])
        self.kind, self.token, self._end = str(match.lastgroup), match[0], match.end()

    def expect(self, token: str, expected: str) -> None:
        """Take a token that must be this one."""
        if self.token != token:
            raise self.unexpected(expected)
        self.advance()

    def unexpected(self, expected: str) -> LanguageError:
        """The error for a token that is not what was expected."""
        shown = f"'{self.token[:MAX_NAME]}'" if self.token else "end"
        where = _COMPARISONS if self.token in ("<", "<=", ">", ">=") else ""
        if self.token in ("and", "or", "not"):
            where = "; conditions are combined by where inside where, statements by and, not, implies, iff"
        return self.error(f"unexpected {shown}: expected {expected}{where}")

    def number(self) -> Fraction:
        """The value of the number at hand: 0.1 is 1/10.

        Raises:
            LanguageError: too many digits.
        """
        mantissa, _, exponent = self.token.lower().partition("e")
        zeros = exponent.lstrip("+-").lstrip("0")
        digits = len(mantissa.replace(".", ""))
        # int() is not called on what may have thousands of digits.
        if len(zeros) > 3 or digits + int(zeros or 0) > MAX_DIGITS:
            raise self.error(f"a number of more than {MAX_DIGITS} digits")
        return Fraction(self.token)

    def count_node(self, column: int) -> None:
        """Count a part of the formula.

        Raises:
            LanguageError: there are too many.
        """
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self.error(f"more than {MAX_NODES} numbers, names and operations", column)

    def check_length(self, name: str, column: int) -> None:
        """Refuse a name that is too long."""
        if len(name) > MAX_NAME:
            raise self.error(f"a name of more than {MAX_NAME} characters", column)

    def too_deep(self) -> LanguageError:
        """The error for a formula that Python's stack does not hold."""
        return self.error("nested too deeply for Python's stack here: simplify the formula")

    def unknown_function(self, function: str, functions: Iterable[str], column: int) -> LanguageError:
        """The error for a function that does not exist, with those that look like it."""
        by_lower_case = {name.lower(): name for name in functions}
        near = difflib.get_close_matches(function.lower()[:MAX_NAME], by_lower_case, n=2)
        if function in SPELLINGS:
            hint = f"write {SPELLINGS[function]}"
        elif near:
            hint = f"did you mean {' or '.join(by_lower_case[name] for name in near)}?"
        else:
            hint = f"There are {', '.join(by_lower_case.values())}"
        return self.error(f"unknown function {function:.50}: {hint}", column)

    def _strange(self, character: str) -> LanguageError:
        shown = ascii(character)
        if not character.isascii():
            shown += f" ({unicodedata.name(character, 'unnamed')}): only ASCII is read"
        return self.error(f"unexpected {shown}: {_STRANGE.get(character, _EXPECTED)}")


def excerpt(text: str, column: int) -> tuple[str, str]:
    """The text around a column (from 0), one printable ASCII character for each, and a line with a caret under it."""
    start, stop = max(0, column - 40), column + 40
    before, after = "..." if start else "", "..." if stop < len(text) else ""
    window = "".join(
        " " if character.isspace() else character if character.isascii() and character.isprintable() else "?"
        for character in text[start:stop]
    )
    return before + window + after, " " * (len(before) + column - start) + "^"
