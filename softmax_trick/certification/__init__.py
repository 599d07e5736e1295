"""Certificates of normalizers: their properties, decided exactly from a formula, or sampled from code.

certify       `softmax_trick.certify`: of a formula, for every K or at a given one
certificate   what is found: properties, with witnesses and reasons
normalizer    a normalizer as text; `components`, its components in SymPy
every_size    properties of one formula in x, a vector over K, for every K
given_size    properties of components, in a process of its own with a time limit
black_box     certificates of what is only there as torch code
domain        what a formula asks for as it is written: denominators, roots, logarithms, a piece for every point
function      F, x, the Jacobian, and the question that all properties ask: can these conditions hold together?
pieces        Piecewise expressions, their smooth pieces and their regions
line          conditions and functions of one variable, by cutting the line at exact points
exponential   polynomials in x and e^x: zeros, and limits far out
reals         conditions in several variables, put to z3
exceptions    parameters for which F is another function than for almost all
smoothness    is F defined, continuous, differentiable everywhere
softmax_type  (P2), (P1) and (P3) of Theorem A1, by the classification of all functions with (P2)
potential     the potential of a symmetric Jacobian, and whether it is convex
extent        infimum and supremum of a function of one variable
matrices      Jacobians that are a constant matrix times a function; spectral norms
ranges        order, bounds and Lipschitz constants
"""
