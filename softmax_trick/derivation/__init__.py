"""Derivatives in the user's own terms, each decided equal to the raw derivative: `softmax_trick.derive`.

`derivation` (a formula and its derivatives), `forms` (one of them, as written back), `facts` (what holds of it); below
them `opaque` (named parts are not looked into), `named_parts`, `recognition` (functions that are written out), and
`tensor_form`, `factor_forms`, `contraction` (canonical forms as expressions again).
"""
