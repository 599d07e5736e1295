"""The paper's experiments run anew: definitions, the sweep that runs them, statistics, tables and charts.

    definitions  the experiments, as data
    work         one run, as a worker of the sweep does it
    sweep        all runs of an experiment, on dask.distributed
    sources      where the runs of a report are
    analysis     from training runs to figures beside the paper's, and to statements about differences
    tables       what was found, on the console
    charts       the paper's figures, as SVG
    page         all of it as one HTML page

`softmax-trick sweep` and `softmax-trick report` put them together.
"""
