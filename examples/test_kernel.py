"""The test of a fused kernel, here one in plain torch: run it by `pytest test_kernel.py`."""

import torch


class FusedCrossEntropy(torch.autograd.Function):
    """One value a row; the error is made in the forward pass, as fused kernels do."""

    @staticmethod
    def forward(ctx, scores, targets):
        """Shapes: scores (n, K), targets (n,)."""
        log_y = scores.log_softmax(-1)
        log_p = log_y.gather(-1, targets[:, None])
        ctx.save_for_backward(log_y.exp().scatter_add_(-1, targets[:, None], -torch.ones_like(log_p)))
        return -log_p.squeeze(-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        """Each row has its own grad_output; second derivatives are refused, and not silently 0."""
        (error,) = ctx.saved_tensors
        return grad_output[:, None] * error, None


def test_the_kernel(check_loss):
    """Values, gradients, every grad_output, memory layouts, saturated scores, dtypes, 65,539 classes."""
    checked = check_loss(FusedCrossEntropy.apply, reduction="none")
    assert "second derivative" in checked.refused


def test_its_gradient_for_every_size(prove_gradient):
    """Over the real numbers, for every n and K."""
    prove_gradient(FusedCrossEntropy, "scores: n,K; targets: label n of K")
