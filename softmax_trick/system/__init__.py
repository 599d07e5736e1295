"""What surrounds a computation: files, standard output, packages that may not be installed, processes.

`files` (written whole or not at all), `signature` (what is kept between runs is the user's own), `terminal` (output
that may be closed or full), `extras` (optional packages), `limited` (work in a process of its own, with a time limit),
`eager` (whether torch just carries out operations, or traces or transforms them).
"""
