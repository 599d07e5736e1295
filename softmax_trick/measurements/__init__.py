"""What training runs measured: the runs, intervals over their seeds, and figures beside those of the paper.

`results` (runs, and the files that keep them), `statistics` (intervals, paired tests, the rule by which a statement is
held against runs), `comparison` (the losses of one network), `figure` (a measured figure).
"""
