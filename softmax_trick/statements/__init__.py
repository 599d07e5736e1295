"""Statements as a user writes them, decided: `softmax_trick.decide`; a wrong equation with what it should read.

`statement` (an equation, an inequality, psd, conservative), `nearest` (the nearest right formula).
"""
