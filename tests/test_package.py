"""What the package promises as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import softmax_trick
from softmax_trick.system.extras import MissingExtra, require

ROOT = Path(__file__).parents[1]


def test_importing_the_package_loads_neither_sympy_nor_torch():
    code = "import sys, softmax_trick; print(sorted({'sympy', 'torch', 'numpy', 'flint', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_can_be_had_and_others_not():
    for name in softmax_trick.__all__:
        assert getattr(softmax_trick, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        softmax_trick.verfy  # noqa: B018


def test_the_proofs_are_installed_inside_the_package():
    import softmax_trick.proofs

    assert (Path(softmax_trick.proofs.__file__).parent / "recorded.json").is_file()


def test_a_missing_extra_is_named():
    with pytest.raises(MissingExtra, match=r"downloading needs nowhere_to_be_found.*softmax-trick\[data\]"):
        require("nowhere_to_be_found", "data", "downloading")


def test_the_version_stands_in_one_place_or_agrees():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == softmax_trick.__version__
    assert f"version: {softmax_trick.__version__}" in (ROOT / "CITATION.cff").read_text()


def test_every_folder_of_the_package_is_packaged():
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "softmax_trick").rglob("__init__.py")}
    found |= {f"softmax_trick.{'.'.join(p.parent.relative_to(ROOT).parts)}" for p in ROOT.glob("proofs/**/__init__.py")}
    assert set(packages) == found | {"softmax_trick.results_data"}


def test_no_name_that_is_imported_late_is_that_of_a_module_beside_it():
    """Once such a module is imported, the name is the module: `softmax_trick.testing.ulps` was."""
    for file in (ROOT / "softmax_trick").rglob("__init__.py"):
        names = re.search(r"^_HOME = \{(.*?)\}", file.read_text(), re.MULTILINE | re.DOTALL)
        modules = {path.stem for path in file.parent.iterdir()}
        assert not modules & set(re.findall(r'"(\w+)":', names[1] if names else "")), file
