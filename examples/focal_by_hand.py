"""Focal loss with a backward pass by hand, proved to be the gradient of its forward pass for every batch and K."""

import torch

from softmax_trick import prove_gradient


class FocalLoss(torch.autograd.Function):
    """The mean of -(1 - p)^2 log p over the rows, p the soft score of the label's class."""

    @staticmethod
    def forward(ctx, scores, targets):
        """Shapes: scores (n, K), targets (n,)."""
        log_y = scores.log_softmax(-1)
        ctx.save_for_backward(log_y, targets)
        log_p = log_y.gather(-1, targets[:, None])
        return -((1 - log_p.exp()) ** 2 * log_p).mean()

    @staticmethod
    def backward(ctx, grad_output):
        """(1 - p) (1 - p - 2 p log p) (y - onehot), of each row, for the mean."""
        log_y, targets = ctx.saved_tensors
        p = (log_p := log_y.gather(-1, targets[:, None])).exp()
        onehot = torch.zeros_like(log_y).scatter(-1, targets[:, None], 1)
        error = (1 - p) * (1 - p - 2 * p * log_p) * (log_y.exp() - onehot)
        return grad_output * error / log_y.shape[0], None


class Slip(FocalLoss):
    """The same, but for a factor 2."""

    @staticmethod
    def backward(ctx, grad_output):
        """Twice the gradient."""
        return 2 * FocalLoss.backward(ctx, grad_output)[0], None


print(prove_gradient(FocalLoss, "scores: n,K; targets: label n of K"))
print(prove_gradient(Slip, "scores: n,K; targets: label n of K"))
