"""`softmax-trick build-native`: compile the native operator for this machine, check it, and keep it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from softmax_trick.commands.output import DIFFERENT, OK
from softmax_trick.system.extras import demand
from softmax_trick.system.terminal import complain, say

COMPILE = """
import sys
from torch.utils.cpp_extension import load
name, source, folder, *flags = sys.argv[1:]
sanitizers = [flag for flag in flags if flag.startswith("-fsanitize")]
load(name, [source], extra_cflags=flags, extra_ldflags=sanitizers, build_directory=folder, is_python_module=False)
"""
"""In a process of its own: what torch's builder has built it also loads."""

CHECK = "import sys; from softmax_trick.testing.native_operator import check; check(sys.argv[1])"
"""In a process of its own: what is wrong may crash."""


class Failed(Exception):
    """Why there is no operator."""


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    build = commands.add_parser(
        "build-native",
        help="compile the native operator of ISBE for this machine",
        description="Compile the native operator of ISBE for CPUs, check it with check_loss, and keep it in the user's "
        "cache for this torch, Python and processor; from then on isbe_error, ISBELoss and isbe_linear use it. It "
        "takes a minute or two, and needs a C++ compiler and pip install 'softmax-trick[native]'.",
        epilog="Exit status: 0 if it is built, checked and kept; 1 if not: then everything is made of torch's "
        "operations, as before. python -c 'from softmax_trick.isbe import path; print(path())' says which is used.",
    )
    build.set_defaults(run=run, if_interrupted="; nothing was kept")


def run(options: argparse.Namespace) -> int:
    """Build, check, keep."""
    from rich.console import Console

    ninja = () if shutil.which("ninja") else ("ninja",)
    demand("softmax-trick build-native", "torch", *ninja, "hypothesis")
    from softmax_trick.isbe import native

    console = Console(stderr=True)
    try:
        with _workplace(native.folder()) as name:
            with console.status("compiling (a minute or so)"):
                built = compile_into(Path(name))
            with console.status("checking: check_loss, every normalizer and option"):
                check_in_process(built)
            keep(built.read_bytes())
    except Failed as failure:
        complain(f"softmax-trick: the native operator is not built: {failure}")
        complain("softmax-trick: ISBE is made of torch's operations, as before")
        return DIFFERENT
    native.use()
    say(f"the native operator is built, checked and used from now on: {native.library()}")
    return OK


def _workplace(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder beside what is kept, so that a cache that cannot be written is known before a minute is spent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=folder, prefix="build-")
    except OSError as error:
        raise Failed(f"{folder} cannot be written: {error.strerror}") from error


def compile_into(folder: Path, flags: Sequence[str] = ()) -> Path:
    """The compiled operator, in the folder.

    Raises:
        Failed: there is no compiler, or it refuses the source.
    """
    from softmax_trick.isbe import native

    compiler = os.environ.get("CXX", "c++")
    if shutil.which(compiler.split()[0]) is None:
        raise Failed(f"there is no C++ compiler {compiler} (Debian and Ubuntu: apt-get install g++)")
    # A virtual environment need not be activated: its ninja lies beside its Python.
    search = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    command = [sys.executable, "-c", COMPILE, native.MODULE, str(native.SOURCE), str(folder), *native.FLAGS, *flags]
    done = subprocess.run(command, env={**os.environ, "PATH": search}, capture_output=True, text=True, check=False)
    built = folder / f"{native.MODULE}.so"
    if done.returncode or not built.is_file():
        told = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
        reason = next((line for line in told if "error: " in line), told[-1])
        raise Failed(f"{compiler} and torch's builder failed: {reason.strip()}")
    return built


def check_in_process(library: Path) -> None:
    """Have `check_loss` check the operator.

    Raises:
        Failed: it is wrong, or crashes.
    """
    command = [sys.executable, "-c", CHECK, str(library)]
    patient = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # on tensors this small, threads that spin only take time
    done = subprocess.run(command, env=patient, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        raise Failed(f"it crashed when it was checked (signal {-done.returncode})")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "CheckFailed" in line] or done.stderr.splitlines() or [""]
        raise Failed(f"it did not pass the check: {lines[-1].strip()}")


def keep(content: bytes) -> None:
    """Put the operator into the cache, and then what is known of it.

    Raises:
        Failed: that cannot be written.
    """
    from softmax_trick.isbe import native
    from softmax_trick.system.files import write_whole
    from softmax_trick.system.signature import sign

    try:
        native.record().unlink(missing_ok=True)
        write_whole(native.library(), content)
        write_whole(native.record(), json.dumps(sign(native.MODULE, native.description(content))))
    except OSError as error:
        raise Failed(f"{native.folder()} cannot be written: {error.strerror or error}") from error
