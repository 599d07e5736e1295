"""ISBE in three lines: normalise the scores, subtract the targets, send the error back. No loss is computed."""

import torch

from softmax_trick import isbe_error

torch.manual_seed(0)
images = torch.randn(256, 20)
labels = images[:, :4].argmax(-1)
net = torch.nn.Linear(20, 4)
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)

for _ in range(100):
    optimizer.zero_grad()

    scores = net(images)
    error = isbe_error(scores, labels)  # softmax(scores) - onehot(labels)
    scores.backward(error / len(labels))  # the mean over the rows

    optimizer.step()

right = (net(images).argmax(-1) == labels).float().mean().item()
print(f"{right:.0%} of the training images are right")
