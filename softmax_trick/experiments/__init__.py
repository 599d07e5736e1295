"""The paper's experiments run anew: definitions, the sweep that runs them, and what comes out.

    definitions  the experiments, as data
    work         one run, as a worker of the sweep does it
    sweep        all runs of an experiment, on dask.distributed
    studies      the neighbouring works' methods beside each other; `study` says what one is
    trial        one trial of a study, as a worker of the sweep does it
    sources      where the runs of a report are
    analysis     from training runs to figures beside the paper's, and to statements about differences

`softmax-trick sweep` and `softmax-trick report` put them together; `softmax_trick.report` shows what was found.
"""
