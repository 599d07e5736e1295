"""A normalizer of your own: certified from its formula for every K, tested in torch, trained with."""

import sympy as sp
import torch

from softmax_trick import ISBELoss, Normalizer, certify
from softmax_trick.testing import check_loss

# SoftMax with a sink: what the classes leave of 1 is "none of these".
certificate = certify("exp(x)/(1 + sum(exp(x)))")
for name in ("unity", "trick", "implicit_loss", "convex"):
    found = certificate.properties()[name]
    print(f"{name:15}{'yes' if found.holds else 'no':5}{found.rung}")


def and_sink(x: torch.Tensor) -> torch.Tensor:
    """The scores, and behind them the sink's score 0."""
    return torch.nn.functional.pad(x, (0, 1))


SINK = Normalizer(
    name="sink",
    source="exp(x_i) / (1 + sum_k exp(x_k))",
    target_range=(0, 1),
    symbolic=lambda x: x.map(sp.exp) / (1 + x.map(sp.exp).sum()),
    symbolic_potential=lambda x: sp.log(1 + x.map(sp.exp).sum()),
    torch=lambda x: and_sink(x).softmax(-1)[..., :-1],
    torch_potential=lambda x: and_sink(x).logsumexp(-1),
)
check_loss(ISBELoss(SINK), SINK, checks=["value", "gradient"])

scores = torch.nn.Parameter(torch.zeros(8, 4))
optimizer = torch.optim.SGD([scores], lr=0.5)
for _ in range(50):
    optimizer.zero_grad()
    loss = ISBELoss(SINK)(scores, torch.arange(8) % 4)
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.3f}")
