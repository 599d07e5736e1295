"""The figures of the notebooks: each a function that computes what it draws by the library and returns a `Drawing`.

style            line widths, fonts and sizes, and how a drawing becomes an SVG that is the same every time
softmax          section 2 of the paper: cross-entropy and its gradient, alone and after SoftMax
converse         Appendix A: what has the Jacobian of SoftMax, and the counterexamples
implicit_losses  what ISBE minimises; errors that are no gradient
training         runs of one method side by side; the images on which trained networks differ

Scores and soft scores are pure numbers; losses are in nats, logarithms being natural.
"""

from __future__ import annotations

from softmax_trick.system.extras import require

require("matplotlib", "notebooks", "softmax_trick.report.figures")
