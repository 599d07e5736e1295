"""The snippets of a page, run from its top to its bottom in one folder, as a reader would.

    ```console    `$ command`, below it what it prints; `[...]` in a line of its own stands for lines left out
    ```sh         commands; a ```text block right behind holds what they print
    ```python     first line `# name.py`: a file to save; an excerpt of a file that is there: read; with
                  `def test_...`: a file for pytest; else run, with the names of the blocks before, and held against
                  a ```text block right behind; of `expression  # text` the value is the text

A command may end in 0 or 1, for "not equal", "wrong", "refuted". What NOT_RUN names is not run, but checked in another
way.
"""

from __future__ import annotations

import ast
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from softmax_trick import cli
from softmax_trick.commands import train

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
LEFT_OUT = re.compile(r"^\[(\.\.\.|.* more.*)\]$")
# What differs from run to run or from machine to machine: times, time shares, accuracies, digests.
LASTING = (
    (r"\bin \d+\.\d+s( \([\d:]+\))?", "in 0.00s"),
    (r"\b\d+\.\d+ s\b", "0.00 s"),
    (r"\b(tau|accuracy) \d+\.\d+ %", r"\1 0.00 %"),
    (r"\b[0-9a-f]{16}\b", "digest"),
)


@dataclass(frozen=True)
class Snippet:
    """A fenced block, and the text block right behind it."""

    language: str
    text: str
    shown: str | None
    line: int


class Wrong(AssertionError):
    """A snippet does not do what its page shows."""


def snippets(page: str) -> list[Snippet]:
    """All fenced blocks of a page that are commands or Python."""
    return [
        Snippet(found[1], found[2], found[3], page.count("\n", 0, found.start()) + 1)
        for found in BLOCK.finditer(page)
        if found[1] in ("console", "sh", "python")
    ]


def run_page(page: str, folder: Path) -> int:
    """Run all snippets of a page in this folder; how many.

    Raises:
        Wrong: one fails, or does not print what is shown.
    """
    for name in ("examples", "results"):
        if name in page and not (folder / name).exists():
            shutil.copytree(ROOT / name, folder / name)
    (folder / "docs").mkdir(exist_ok=True)  # where some pages write
    reader = Reader(folder)
    found = snippets(page)
    for snippet in found:
        try:
            reader.does(snippet)
        except Exception as error:
            raise Wrong(f"line {snippet.line}: {type(error).__name__}: {error}\n\n{snippet.text}") from error
    return len(found)


@dataclass
class Reader:
    """Who does in a folder what a page says, and remembers the names of its Python."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    tests: int = 0

    def does(self, snippet: Snippet) -> None:
        """Run a snippet and hold what it prints against what is shown."""
        if snippet.language == "python":
            self.python(snippet)
            return
        if snippet.language == "console":
            for command, shown in of_console(snippet.text):
                agree(self.command(command), shown)
            return
        printed = [self.command(command) for command in of_shell(snippet.text)]
        if None not in printed:
            agree("".join(map(str, printed)), snippet.shown or "")

    def python(self, snippet: Snippet) -> None:
        first = re.match(r"# (\w+\.py)\n", snippet.text)
        if first:
            (self.folder / first[1]).write_text(snippet.text, encoding="utf-8")
        elif any(snippet.text in file.read_text(encoding="utf-8") for file in self.folder.glob("*.py")):
            return  # an excerpt of what a command wrote
        elif re.search(r"^def test_", snippet.text, re.MULTILINE):
            self.tests += 1
            file = self.folder / f"test_of_page_{self.tests}.py"
            file.write_text(snippet.text, encoding="utf-8")
            self.shell(f"pytest -q {file.name}", statuses=(0,))
        else:
            agree(run_python(snippet.text, self.names, self.folder), snippet.shown or "")

    def command(self, command: str) -> str | None:
        """What a command prints; nothing of one that is not run."""
        for pattern, check in NOT_RUN.items():
            if re.match(pattern, command):
                check(shlex.split(command, comments=True))
                return None
        if re.match(r"softmax-trick (certify|decide|derive|verify|report)\b[^|<>&]*$", command):
            return within(self.folder, lambda: succeeds(cli.main(shlex.split(command, comments=True)[1:])))
        return self.shell(command)

    def shell(self, command: str, statuses: tuple[int, ...] = (0, 1)) -> str:
        bin_ = str(Path(sys.executable).parent)
        environment = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in statuses:
            raise Wrong(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout


def succeeds(status: int) -> None:
    """A command was neither wrongly used nor interrupted."""
    if status not in (0, 1):
        raise Wrong(f"the exit status is {status}")


def within(folder: Path, action: Callable[[], object]) -> str:
    """What an action prints in a folder, whose modules it may import."""
    output, errors = io.StringIO(), io.StringIO()
    before, path, modules = Path.cwd(), list(sys.path), set(sys.modules)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        with redirect_stdout(output), redirect_stderr(errors):
            action()
    except Exception as error:
        raise Wrong(f"{error}\n{errors.getvalue()}") from error
    finally:
        os.chdir(before)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
                del sys.modules[name]
    return output.getvalue()


# --- blocks -----------------------------------------------------------------------------------------------------------


def of_console(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, with what is shown below it."""
    head, *commands = re.split(r"^\$ ", text, flags=re.MULTILINE)
    if head:
        raise Wrong(f"a console block begins with no command: {head}")
    for one in commands:
        command, shown = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", one, re.DOTALL).groups()  # type: ignore[union-attr]
        yield command.replace("\\\n", " "), shown


def of_shell(text: str) -> list[str]:
    """The commands of a shell block."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def run_python(text: str, names: dict[str, Any], folder: Path) -> str:
    """What a block of Python prints; a comment behind an expression is its value."""
    comments = {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }

    def run() -> None:
        for node in ast.parse(text).body:
            if not isinstance(node, ast.Expr):
                exec(compile(ast.Module([node], []), "<snippet>", "exec"), names)
                continue
            printed = io.StringIO()
            with redirect_stdout(printed):
                value = eval(compile(ast.Expression(node.value), "<snippet>", "eval"), names)
            said = comments.get(node.end_lineno or 0)
            found = printed.getvalue().strip() if value is None else str(value)
            if said is not None and said not in (found, repr(value)):
                raise Wrong(f"{ast.unparse(node)} is {found}, and not {said}")
            if said is None:
                sys.stdout.write(printed.getvalue())

    return within(folder, run)


def agree(printed: str | None, shown: str) -> None:
    """What is shown is what was printed, but for lines that are left out.

    Raises:
        Wrong: it is not.
    """
    if printed is None or not shown.strip():
        return
    pieces: list[list[str]] = [[]]
    for line in lasting(shown):
        if LEFT_OUT.match(line):
            pieces.append([])
        else:
            pieces[-1].append(line)
    expected = r"(?:.*\n)*".join("".join(re.escape(line) + r"\n" for line in piece) for piece in pieces)
    if not re.fullmatch(expected, "".join(line + "\n" for line in lasting(printed))):
        raise Wrong(f"shown:\n{shown}\nprinted:\n{printed}")


def lasting(text: str) -> list[str]:
    """The lines without what differs from run to run."""
    for pattern, always in LASTING:
        text = re.sub(pattern, always, text)
    return [line.rstrip() for line in text.strip("\n").splitlines() if not line.startswith("evidence    of an earlier")]


# --- what is not run --------------------------------------------------------------------------------------------------


def known_extras(command: list[str]) -> None:
    """pip would fetch from the network: the extras that are asked for exist."""
    extras = {extra for word in command for found in re.findall(r"\[([\w,-]+)\]", word) for extra in found.split(",")}
    if not extras <= set(metadata("softmax-trick").get_all("Provides-Extra") or ()):
        raise Wrong(f"there is no such extra: {extras}")


def known_target(command: list[str]) -> None:
    """make would set up an environment, or take minutes: the target exists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in command[1:]:
        if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE):
            raise Wrong(f"there is no such target: {target}")


def known_arguments(command: list[str]) -> None:
    """It would take hours, a compiler, or other machines: its arguments are accepted."""
    name = next(word for word in command if word in ("softmax-trick", "softmax_trick.train"))
    arguments = command[command.index(name) + 1 :]
    if arguments[0] == "train":
        name, *arguments = arguments
    parser = cli._parser() if name == "softmax-trick" else train._parser()
    try:
        with redirect_stderr(errors := io.StringIO()):
            parser.parse_args(arguments)
    except SystemExit:
        raise Wrong(errors.getvalue()) from None


def anything(command: list[str]) -> None:
    """It is another project's."""


NOT_RUN: dict[str, Callable[[list[str]], None]] = {
    r"(python -m )?pip install ": known_extras,
    r"make\b": known_target,
    r"softmax-trick (sweep|build-native|report runs/|verify --results runs/)": known_arguments,
    r"(?!.*mnist-5k)(softmax-trick train|(python|torchrun .*) -m softmax_trick\.train) ": known_arguments,
    r"dask ": anything,
}
