"""Readings of a formula: what it is at every size, in SymPy, in Arb, in a finite field, in torch, in Coq.

Each is an algebra under one walk (`softmax_trick.language.interpreter`), and none imports another: `canonical` (every
size; `written` is its text), `algebraic` (SymPy), `enclosure` (Arb), `residues` (a finite field), `tensors` (torch),
`coq`. `pointwise` is what those at given sizes have in common: derivatives as dual numbers.
"""
