"""The colours and dashes of all figures.

The colours are those of Okabe and Ito (Color Universal Design, 2008), which the colour-blind can tell apart; a line is
told from another by its dashes too, and so in black and white.
"""

from __future__ import annotations

Dashes = str | tuple[float, tuple[float, ...]]

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
BLACK, DARK, GREY, PALE = "#000000", "#555555", "#767676", "#888888"
OLIVE, BROWN = "#B0A000", "#7A4B00"
SOLID: Dashes = "-"
DASHED: Dashes = (0, (5, 2))
DASH_DOTTED: Dashes = (0, (6, 2, 1, 2))
DOTTED: Dashes = (0, (1, 1.5))
LONG: Dashes = (0, (9, 3))

IN_CSS = {
    BLUE: "blue",
    VERMILION: "vermilion",
    GREEN: "green",
    PURPLE: "purple",
    ORANGE: "orange",
    SKY: "sky",
    BLACK: "ink",
    DARK: "dark",
    GREY: "grey",
    PALE: "pale",
    OLIVE: "olive",
    BROWN: "brown",
}
"""The same colours on the pages, where each has a value for light and one for dark."""


def in_css(colour: str) -> str:
    """A colour of ours, as it is on the pages; any other as it is."""
    return f"var(--{IN_CSS[colour]})" if colour in IN_CSS else colour
