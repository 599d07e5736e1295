"""Rigorous numbers: enclosures by Arb."""

from softmax_trick.numeric.enclosure import NotEnclosable, enclose

__all__ = ["NotEnclosable", "enclose"]
