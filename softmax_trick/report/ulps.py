"""A picture of what `softmax_trick.testing.accuracy` found: noise and bug at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmax_trick.system.extras import require

if TYPE_CHECKING:
    from softmax_trick.testing.ulps import Accuracy

LEAST = 1e-3  # of what is allowed; what is less is drawn there


def draw(found: Accuracy, file: str) -> None:
    """Draw the share of what rounding explains, by dtype and kind of scores: a bar to the worst, a dot for the median.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    require("matplotlib", "plot", "a plot")
    from matplotlib.figure import Figure

    rows = found.rows()
    names = list(dict.fromkeys(f"{one['scores']} {one['of']}" for one in rows))
    dtypes = list(dict.fromkeys(one["dtype"] for one in rows))
    figure = Figure(figsize=(9, 0.3 * len(names) * max(1, len(dtypes)) / 2 + 1.5), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / max(1, len(dtypes))
    for place, dtype in enumerate(dtypes):
        own = [one for one in rows if one["dtype"] == dtype]
        at = [names.index(f"{one['scores']} {one['of']}") + place * height for one in own]
        worst = [max(LEAST, 2e3 if one["overflows"] else one["worst_share_of_allowed"]) for one in own]
        typical = [max(LEAST, one["typical_share_of_allowed"]) for one in own]
        bars = axes.barh(at, worst, height=height, left=0, label=dtype)
        axes.plot(typical, at, linestyle="", marker="|", markersize=9, color="black")
        for bar, one in zip(bars, own, strict=True):
            if one["outside"]:
                bar.set_hatch("///")
                bar.set_edgecolor("black")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(LEAST, None)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xlabel("share of what rounding explains: worst (bar), median (tick); beyond 1, hatched, is outside")
    axes.set_title(found.formula)
    axes.legend(loc="lower right")
    figure.savefig(file)
