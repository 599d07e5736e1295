"""What the package promises as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import softmax_trick
from softmax_trick.system.extras import MissingExtra, require

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


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
    assert PROJECT["version"] == softmax_trick.__version__
    assert f"version: {softmax_trick.__version__}" in (ROOT / "CITATION.cff").read_text()


def test_the_changes_of_this_version_are_told():
    assert re.search(rf"^## {re.escape(PROJECT['version'])}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_no_requirement_is_exact_and_torch_is_an_extra():
    extras = PROJECT["optional-dependencies"]
    own = {name: [one for one in wanted if one.startswith("softmax-trick[")] for name, wanted in extras.items()}
    others = [one for wanted in (PROJECT["dependencies"], *extras.values()) for one in wanted if one not in own["all"]]
    floors = [one for one in others if not one.startswith("softmax-trick[")]
    assert [one for one in floors if not re.fullmatch(r"[\w-]+(\[\w+\])?>=[\d.]+", one)] == []
    assert not any(one.startswith("torch") for one in PROJECT["dependencies"])
    with_torch = {name for name, wanted in own.items() if "torch" in "".join(wanted)} | {"native", "notebooks"}
    assert with_torch == {"all", "data", "native", "notebooks", "sweeps", "testing"}
    assert {"testing"} == {own[name][0][14:-1].split(",")[-1] for name in ("native", "notebooks")}
    assert set(re.findall(r"[\w]+", own["all"][0][14:-1])) == set(extras) - {"all"}


def test_the_lowest_versions_are_those_of_the_requirements():
    done = subprocess.run(
        [sys.executable, ".ci/lowest.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wanted = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    expected = {re.sub(r"(\[\w+\])?>=", "==", one) for one in wanted if ">=" in one and not one.startswith("torch>=")}
    assert set(done) == expected
    assert {"scipy==1.13", "hypothesis==6.108"} <= expected


def test_no_target_of_the_makefile_is_there_twice():
    targets = re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(targets) == len(set(targets)) > 10
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == {one for one in targets if not one.startswith(".")}


# --- on a package index -----------------------------------------------------------------------------------------------

RELATIVE = re.compile(r"""(?:\]\(|^\[[^\]]+\]:\s+|(?:src|href)=")(?!https://|#)([^)\s"]+)""", re.MULTILINE)


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    pytest.importorskip("setuptools")
    spec = spec_from_file_location("setup_of_the_package", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_has_no_relative_link_on_a_package_index(setup: ModuleType) -> None:
    described, readme = setup.described(), (ROOT / "README.md").read_text(encoding="utf-8")
    assert RELATIVE.findall(re.sub(r"(?s)```.*?```", "", readme)) != []
    assert RELATIVE.findall(re.sub(r"(?s)```.*?```", "", described)) == []
    assert f"({PROJECT['urls']['Repository']}/raw/HEAD/docs/ledger.svg)" in described
    links = re.findall(rf"{PROJECT['urls']['Repository']}/(?:raw|blob)/HEAD/([^)#\s\"]+)", described)
    assert [path for path in links if not (ROOT / path).exists()] == []


def test_code_and_absolute_links_are_left_as_they_are(setup: ModuleType) -> None:
    kept = '`[a](b)` [c](https://d.org/e) [f](#g) <a href="mailto:h">i</a>\n```python\nj[0](k)\n```\n'
    assert setup.absolute(kept, "https://x.org") == kept
    changed = '[`l`](m/n.md#o) ![p](q.PNG) <img src="r.svg">\n[s]: t/u\n'
    x = "https://x.org"
    assert setup.absolute(changed, x) == (
        f'[`l`]({x}/blob/HEAD/m/n.md#o) ![p]({x}/raw/HEAD/q.PNG) <img src="{x}/raw/HEAD/r.svg">\n'
        f"[s]: {x}/blob/HEAD/t/u\n"
    )


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
