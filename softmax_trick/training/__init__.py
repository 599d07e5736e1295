"""Training on MNIST with ISBE or with cross-entropy (paper, sections 3 and 4.1).

    data      the images and labels, where they come from, how they are split
    networks  the paper's first network
    losses    where the backward pass of each loss starts, and its value per example
    batches   the examples on the device, in an order of seed and epoch
    step      one training step, from the images to the update
    loop      a run, epoch for epoch
    folder    what a run leaves on disk, and how it is resumed
    check     the side-by-side check that "none", "sum" and ISBE SoftMax are one method

`python -m softmax_trick.train` puts them together.
"""

from __future__ import annotations


class TrainingError(Exception):
    """A fault that the user can mend: its message, one line, names the input and the remedy."""
