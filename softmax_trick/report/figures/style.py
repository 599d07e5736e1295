"""How the figures of the notebooks look, in the colours of `softmax_trick.report.palette`: the same SVG every time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager
from typing import Any

from cycler import cycler
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from softmax_trick.report.palette import (
    BLUE,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GREEN,
    LONG,
    ORANGE,
    PURPLE,
    SOLID,
    VERMILION,
)

LOOK: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, PURPLE, ORANGE])
    + cycler(linestyle=[SOLID, DASHED, DASH_DOTTED, DOTTED, LONG]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",  # a reader may not have the fonts
    "svg.hashsalt": "softmax-trick",  # else the identifiers inside are random
}
HEIGHT = 3.2  # inches
WIDTH = 3.7  # inches of a panel


class Drawing(Figure):
    """A figure that notebooks show, without pyplot and its global state.

    As SVG, and as PNG for JupyterLab: of a notebook that one has not executed oneself it does not show SVG.
    """

    def svg(self) -> str:
        """The figure as SVG: the same text every time, without a date."""
        text = io.StringIO()
        with self._laid_out():
            self.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()

    def png(self) -> bytes:
        """The figure as PNG."""
        with self._laid_out():
            return small_png(self)

    @contextmanager
    def _laid_out(self) -> Iterator[None]:
        with rc_context(LOOK):
            self.draw_without_rendering()
            self.set_layout_engine("none")  # laid out once: again would move what is drawn by a millionth of a point
            yield

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_png_(self) -> bytes:
        return self.png()


def small_png(figure: Figure, dpi: int = 100) -> bytes:
    """The figure as PNG with 64 colours, a quarter of the size: few lines and letters need no more."""
    drawn, content = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    Image.open(drawn).convert("RGB").quantize(64).save(content, format="png", optimize=True)
    return content.getvalue()


def panels(count: int, height: float = HEIGHT, width: float = WIDTH) -> tuple[Drawing, list[Axes]]:
    """A drawing with so many panels in a row; sizes in inches, the width that of a panel.

    The functions that fill it are decorated with `styled`, since matplotlib asks for the look as it draws.
    """
    drawing = Drawing(figsize=(width * count, height))
    axes = drawing.subplots(1, count, squeeze=False)
    return drawing, list(axes[0])


def styled() -> ContextDecorator:
    """The look of these figures, as a decorator of the functions that draw them."""
    return rc_context(LOOK)
