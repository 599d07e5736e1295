"""The properties of a certificate, decided exactly from a formula; `softmax_trick.certify` puts them together.

subject       F, x, the Jacobian, and the questions that all properties ask: is it zero, which sign has it
smoothness    is F defined and differentiable everywhere
softmax_type  (P2), (P1) and (P3) of Theorem A1, by the classification of all functions with (P2)
loss          the potential of a symmetric Jacobian, and whether it is convex
ranges        order, bounds and Lipschitz constants
"""
