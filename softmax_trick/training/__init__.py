"""Training with ISBE or with cross-entropy (paper, sections 3 and 4).

    networks      N0, N1, N1r and VGG-16 of the paper, and multinomial logistic regression
    losses        where the backward pass of each loss starts, and its value per example
    step          one training step, from the images to the update
    settings      what determines a run
    loop          a run, epoch for epoch
    measures      loss, accuracy, information, predictions
    batches       the examples on the device, in an order of seed and epoch
    augmentation  random affine transformations of a batch
    data          the data sets by name; `split`, `idx`, `cifar10` and `files` read and divide them
    folder        what a run leaves on disk, and how it is resumed
    parallel      one run on several processes
    check         the side-by-side check that "none", "sum" and ISBE SoftMax are one method
    progress      the progress bar
    process       how threads wait, and what becomes of freed memory

`python -m softmax_trick.train` puts them together; docs/training.md is the guide.
"""

from __future__ import annotations


class TrainingError(Exception):
    """A fault that the user can mend: its message, one line, names the input and the remedy."""
