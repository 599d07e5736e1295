"""Classes that come task by task, with a memory of the old ones (after Jodelet and others 2021, Balanced SoftMax)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from softmax_trick.training.losses import Loss, balanced_softmax, relocated


@dataclass(frozen=True)
class Task:
    """What is trained on at one time.

    Attributes:
        classes: the new ones.
        seen: all so far, these too.
        examples: indices of the examples: the new ones and the memory.
        counts: how many examples each class has, float32, shape (K,); 0 for classes yet to come.
    """

    classes: tuple[int, ...]
    seen: tuple[int, ...]
    examples: Tensor
    counts: Tensor


def tasks(labels: Tensor, divided: Sequence[Sequence[int]], memory: int) -> list[Task]:
    """The tasks: each has all examples of its classes, and the memory, shared equally by the classes before.

    Args:
        labels: shape (n,).
        divided: the classes of each task.
        memory: how many examples of old classes are kept; the first ones of each class.

    Raises:
        ValueError: a task has no class, a class is in two tasks, has no example, or fewer than the memory wants of it;
            the memory is negative.
    """
    if memory < 0:
        raise ValueError(f"a memory of {memory:,} examples: it must be 0 or more")
    if not divided or not all(divided):
        raise ValueError(f"the tasks {[list(task) for task in divided]}: there must be some, each with a class")
    classes = [k for task in divided for k in task]
    if len(set(classes)) != len(classes):
        raise ValueError(f"the tasks {[list(task) for task in divided]} have a class in common")
    total = max(classes) + 1
    places = {k: (labels == k).nonzero()[:, 0] for k in classes}
    if empty := [k for k, of in places.items() if not len(of)]:
        raise ValueError(f"class {empty[0]} has no example: leave it out of the tasks")
    found: list[Task] = []
    seen: tuple[int, ...] = ()
    for new in divided:
        share = memory // len(seen) if seen else 0
        for k in seen:
            if len(places[k]) < share:
                raise ValueError(
                    f"a memory of {memory:,} for {len(seen)} classes keeps {share:,} examples of each, and class {k} "
                    f"has {len(places[k]):,}: take at most {len(seen) * len(places[k]):,}"
                )
        kept = [places[k][:share] for k in seen] + [places[k] for k in new]
        seen = (*seen, *new)
        examples = torch.cat(kept)
        found.append(Task(tuple(new), seen, examples, labels[examples].bincount(minlength=total).float()))
    return found


def balanced(task: Task) -> Loss:
    """SoftMax(x + log n): a class without examples gets no error, for log 0 is minus infinity."""
    return balanced_softmax(task.counts)


def masked(task: Task) -> Loss:
    """Cross-entropy over the classes seen so far: relocated by infinity for the others."""
    barred = torch.full_like(task.counts, torch.inf)
    barred[list(task.seen)] = 0
    return relocated(torch.ones_like(barred), barred)
