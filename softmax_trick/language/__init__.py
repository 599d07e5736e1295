"""The language of formulas: what a formula is, how it is read and written, and how it is decided."""
