"""The layout of the package: which room stands on which, as docs/house.md has it.

Imports are read from the source, those inside functions as well as those at the top of a module. What is imported for
type checkers only does not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "house.md").read_text()

# Each room imports from those before it only: a stranger can read them in this order.
ORDER = (
    "system",
    "language",
    "readings",
    "symbolic",
    "deciding",
    "derivation",
    "statements",
    "emission",
    "proving",
    "normalizers",
    "isbe",
    "testing",
    "measurements",
    "ledger",
    "proofs",
    "certification",
    "training",
    "neighbours",
    "experiments",
    "report",
    "commands",
    "cli",
    "train",
)
VALUES = ("softmax_trick.language.expression", "softmax_trick.language.proposition")
PRINTED_BY = ("softmax_trick.language.text", "softmax_trick.language.latex")  # when asked for their repr
UNKNOWN_TO = {"language": {"sympy", "torch", "flint", "z3", "numpy"}, "derivation": {"sympy", "torch"}}
UNKNOWN_TO |= {room: {"sympy", "torch"} for room in ("deciding", "statements", "emission", "measurements")}
READINGS = {
    f"softmax_trick.readings.{name}" for name in ("canonical", "algebraic", "enclosure", "residues", "tensors", "coq")
}

Modules = dict[str, str]  # the source of each module, by its name


@cache
def the_package() -> Modules:
    files = {file: file.relative_to(ROOT) for file in (ROOT / "softmax_trick").rglob("*.py")}
    files |= {file: Path("softmax_trick") / file.relative_to(ROOT) for file in (ROOT / "proofs").rglob("*.py")}
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): file.read_text()
        for file, path in sorted(files.items())
    }


@cache
def imported(source: str) -> tuple[tuple[str, str, bool], ...]:
    """What a module imports: a module, a name in it, which is empty if the module itself is imported, and whether it
    is imported with the module, not in a function.
    """
    found: list[tuple[str, str, bool]] = []
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(source), True)]
    while waiting:
        node, at_once = waiting.pop()
        if isinstance(node, ast.Import):
            found += [(alias.name, "", at_once) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(f"{'.' * node.level}{node.module or ''}", alias.name, at_once) for alias in node.names]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += [(one, at_once) for one in node.orelse]
        elif isinstance(node, ast.stmt | ast.Module | ast.ExceptHandler | ast.match_case):
            at_once = at_once and not isinstance(node, ast.FunctionDef)
            waiting += [(one, at_once) for one in ast.iter_child_nodes(node)]
    return tuple(found)


def imports(name: str, modules: Modules, late: bool = True) -> Iterator[str]:
    """The modules that a module imports, in functions too or not; `from a import b` may name the module a.b."""
    for module, one, at_once in imported(modules[name]):
        if at_once or late:
            yield f"{module}.{one}" if f"{module}.{one}" in modules else module


def room(module: str) -> str:
    return module.split(".")[1] if module.startswith("softmax_trick.") else ""


def reading(module: str) -> str:
    """The reading that a module is, or is a part of; "" if it is none."""
    name = ".".join(module.split(".")[:3])
    return name if name in READINGS else ""


def arrows(modules: Modules) -> dict[tuple[str, str], str]:
    """The pairs of rooms of which the first imports from the second, each with a module that does."""
    found = {}
    for name in modules:
        for other in imports(name, modules):
            if room(name) and room(other) and room(name) != room(other):
                found[room(name), room(other)] = name
    return found


def faults(modules: Modules) -> list[str]:
    """What is not as it should be, in words."""
    found = [f"{one} has no place in ORDER" for one in sorted({room(name) for name in modules} - {"", *ORDER})]
    places = {one: place for place, one in enumerate(ORDER)}
    for (one, other), name in arrows(modules).items():
        if places.get(other, 0) > places.get(one, 0):
            found.append(f"{name} imports from {other}, which stands above {one}")
    for name in modules:
        for other in imports(name, modules):
            if other.split(".")[0] in UNKNOWN_TO.get(room(name), ()):
                found.append(f"{name} knows {other}")
            if reading(name) and reading(other) and reading(name) != reading(other):
                found.append(f"{name} imports {other}")
    try:
        TopologicalSorter({name: within(name, modules) for name in modules}).prepare()
    except CycleError as circle:
        found.append(f"a circle: {' <- '.join(circle.args[1])}")
    return found


def within(name: str, modules: Modules) -> set[str]:
    """The modules of the same room that a module rests on."""
    found = {other for other in imports(name, modules) if other in modules and room(other) == room(name) != ""}
    return found.difference(PRINTED_BY) if name in VALUES else found


def test_every_room_stands_on_those_below_it_and_there_is_no_circle():
    assert faults(the_package()) == []


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("language.text", "import sympy", "softmax_trick.language.text knows sympy"),
        ("language.text", "def f():\n    from torch import nn", "softmax_trick.language.text knows torch"),
        ("readings.enclosure", "from softmax_trick.readings import tensors", "imports softmax_trick.readings.tensors"),
        (
            "readings.canonical.sums",
            "from softmax_trick.readings import algebraic",
            "imports softmax_trick.readings.",
        ),
        ("readings.canonical", "from softmax_trick.deciding.points import Point", "which stands above readings"),
        ("isbe.error", "def f():\n    import softmax_trick.training.loop", "which stands above isbe"),
        ("training.folder", "from softmax_trick.training.loop import train", "a circle: "),
        ("cellar.wine", "", "cellar has no place in ORDER"),
    ],
)
def test_what_is_planted_is_found(module, line, fault):
    modules = dict(the_package())
    modules[f"softmax_trick.{module}"] = modules.get(f"softmax_trick.{module}", "") + f"\n{line}\n"
    assert [one for one in faults(modules) if fault in one]


def test_what_is_imported_for_type_checkers_only_does_not_count():
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\nelse:\n    import sympy\n"
    assert sorted(imports("one", {"one": source})) == ["sympy", "typing"]


def test_the_page_names_every_room_in_its_order_and_counts_them():
    named = re.findall(r"^\| \d+ \| `(\w+)(/|\.py)` \|", PAGE, re.MULTILINE)
    assert tuple(name for name, _ in named) == ORDER
    assert all((ROOT / ("" if name == "proofs" else "softmax_trick") / f"{name}{end}").exists() for name, end in named)
    assert f"{len(ORDER)} rooms:" in PAGE


def named_in_vain(text: str, modules: Modules) -> list[str]:
    """The modules, names in modules and files of the package that a text names and that are not there."""
    found = []
    for dotted in re.findall(r"(?<![\w./@])softmax_trick(?:\.[A-Za-z_]\w*)+", text):
        parts = dotted.split(".")
        module = next(name for n in range(len(parts), 0, -1) if (name := ".".join(parts[:n])) in modules)
        rest = dotted.removeprefix(module).split(".")[1:2]
        if rest and rest != ["results_data"] and not re.search(rf"\b{rest[0]}\b", modules[module]):
            found.append(dotted)
    files = re.findall(r"(?<![\w/])softmax_trick/[\w/]+(?:\.\w+)+", text)
    return found + [file for file in files if not (ROOT / file).is_file()]


def test_what_the_pages_and_the_sources_name_is_there():
    """Planted: names of before the rooms were arranged."""
    modules = the_package()
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    texts = {str(page): page.read_text() for page in pages} | modules
    assert {name: vain for name, text in texts.items() if (vain := named_in_vain(text, modules))} == {}
    old = ["softmax_trick.numeric", "softmax_trick.isbe.no_such_name", "softmax_trick/report/ledger.schema.json"]
    assert named_in_vain(" and ".join(old), modules) == old
