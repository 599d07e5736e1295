"""What lies outside the process: files, standard output, packages that may not be installed.

`files` (written whole or not at all), `terminal` (output that may be closed or full), `extras` (optional packages).
"""
