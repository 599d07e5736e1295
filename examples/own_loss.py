"""A loss of your own in a training loop: its gradient is proved, and derived, from its formula before it is used."""

import torch

from softmax_trick import decide, derive

# Cross-entropy with a penalty on the log of the normalizing sum, which keeps scores from drifting (z-loss).
FORMULA, LET = "logsumexp(x) - x[c] + z*logsumexp(x)**2", "x: K; c: label K; z: positive"
BY_HAND = "(1 + 2*z*logsumexp(x))*softmax(x) - onehot(c)"

found = decide(f"grad({FORMULA}, x)", BY_HAND, let=LET)
print("by hand: ", found)
print("derived: ", derive(FORMULA, "x", LET).gradient)
assert found.verdict == "proved"


def gradient(scores: torch.Tensor, labels: torch.Tensor, z: float = 1e-3) -> torch.Tensor:
    """BY_HAND, of each row, for the mean over the rows."""
    lse = scores.logsumexp(-1, keepdim=True)
    onehot = torch.nn.functional.one_hot(labels, scores.shape[-1])
    return ((1 + 2 * z * lse) * scores.softmax(-1) - onehot) / len(labels)


torch.manual_seed(0)
images = torch.randn(256, 20)
labels = images[:, :4].argmax(-1)
net = torch.nn.Linear(20, 4)
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
for _ in range(100):
    optimizer.zero_grad()
    scores = net(images)
    scores.backward(gradient(scores.detach(), labels))
    optimizer.step()
print(f"{(net(images).argmax(-1) == labels).float().mean():.0%} of the training images are right")
