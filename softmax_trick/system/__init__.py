"""What surrounds a computation: files, standard output, packages that may not be installed, what torch is doing.

`files` (written whole or not at all), `terminal` (output that may be closed or full), `extras` (optional packages),
`eager` (whether torch just carries out operations, or traces or transforms them).
"""
