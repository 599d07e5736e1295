"""The lowest versions that pyproject.toml allows, as constraints for pip: what is said to be enough is what is tested.

torch is left out: below the version in constraints.txt it is an installation of several GB.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
for requirement in sorted(set(wanted)):
    if (found := re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement)) and found[1] != "torch":
        print(f"{found[1]}=={found[2]}")
