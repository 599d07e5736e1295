"""The results files that are committed: runs of `softmax-trick sweep`, which the measured claims are held against.

Each is the `results.json` of a sweep's folder, copied here under the name of the experiment.
"""
