"""Whether the bounds of check_loss reject right losses: python tests/calibrate.py --cases 100000

Every implementation in `right_losses.RIGHT` is held against its formula, on rows of every kind of scores, in every
dtype; a case is a row, its value and every entry of its gradient. Prints for each implementation and dtype how many
cases there were, and the worst share of what is allowed; at the end the sums. An overflow is an answer that is no
number where a number of the dtype is right: float16 has none above 65,504, and what is right as a formula is not right
there as it is written. Ends with status 1 if any other entry is outside.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch
from right_losses import RIGHT

from softmax_trick.testing.ulps import DTYPES, accuracy


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="rows in each dtype, of all implementations together")
    parser.add_argument("--only", nargs="*", default=list(RIGHT), metavar="LOSS", help="these losses only")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [(name, loss) for name in options.only for loss in RIGHT[name]]
    cases, outside, overflows = (dict.fromkeys(DTYPES, 0) for _ in range(3))
    for number, (name, loss) in enumerate(chosen):
        begin = time.perf_counter()
        found = accuracy(loss, name, cases=-(-options.cases // len(chosen)), seed=options.seed + number)
        words = []
        for dtype in DTYPES:
            beyond = sum(one["overflows"] for one in found.rows() if one["dtype"] == dtype)
            cases[dtype] += found.cases[dtype]
            outside[dtype] += sum(one["outside"] - one["overflows"] for one in found.rows() if one["dtype"] == dtype)
            overflows[dtype] += beyond
            share = max((one["worst_share_of_allowed"] for one in found.rows() if one["dtype"] == dtype), default=0.0)
            words.append(f"{dtype} {found.cases[dtype]} cases, worst {share:.2f} of allowed, {beyond} overflows")
        print(f"{name}: {'; '.join(words)} ({time.perf_counter() - begin:.0f} s)", flush=True)
    for dtype in DTYPES:
        print(
            f"{dtype}: {cases[dtype]} cases; outside: {outside[dtype]} entries; overflows: {overflows[dtype]} entries"
        )
    return int(any(outside.values()))


if __name__ == "__main__":
    sys.exit(main())
