"""A formula and its proved gradient as code for torch, JAX or numpy, and a test of it.

`module` (what `softmax-trick derive --emit` writes), `generated_test`; below them `array_code` (expressions as array
code) with `frameworks` (a table for each) and `stable_forms` (what floating point can evaluate).
"""
