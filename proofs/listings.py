"""The listings of the paper as printed: section 3's two loops and Appendix B, line breaks and errors included.

They are the only text that this project executes, and they are constants of it.
"""

from __future__ import annotations

# --- section 3 --------------------------------------------------------------------------------------------------------

LOOP_CROSS_ENTROPY = """\
for (labels,images) in tgen:
    outputs = net(images)
    loss = loss_function(outputs, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

LOOP_ISBE = """\
for (labels,images) in tgen:
    outputs = net(images)
    soft_error = SoftMax(outputs) - labels
    optimizer.zero_grad()
    outputs.backward(soft_error)
    optimizer.step()
"""

# --- Appendix B.1 -----------------------------------------------------------------------------------------------------

# A page break stands before the last line, which is read with the indentation that the other loops give it.
LOOP_SIMPLEST = """\
for (labels, images) in tgen:
    outputs = net(images)
    soft_error = SoftMax(outputs) - labels
    optimizer.zero_grad()
    outputs.backward(soft_error)
    optimizer.step()
"""

LOOP_OPTIONS = """\
for (labels, images) in tgen:
    outputs = net(images)
    if no_cross_entropy:
        if soft_option=="SoftMax":
            soft_error = SoftMax(outputs) - labels
        if soft_option=="tanh":
            soft_error = tanh(outputs) - (2.*labels-1.)
        elif soft_option=="hardtanh":
            soft_error = hardtanh(outputs) - (2.*labels-1.)
        elif # ...
            # next options
        optimizer.zero_grad()
        outputs.backward(soft_error)
    else:
        loss = loss_function(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
    optimizer.step()
"""

LOOP_COMPACT = """\
for (labels, images) in tgen:
    outputs = net(images)
    if no_cross_entropy:
        soft_error = soft_function(outputs) - labels
        optimizer.zero_grad()
        outputs.backward(soft_error)
    else:
        loss = loss_function(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
    optimizer.step()
"""

# --- Appendix B.2 -----------------------------------------------------------------------------------------------------

SKELETON = """\
class ISBE_func(torch.autograd.Function):
    @staticmethod
    def forward(...)
        <body of forward>
    @staticmethod
    def setup_context(...)
        <body of setup_context>
    @staticmethod
    def backward(...)
        <body of backward>
"""

FORWARD = """\
def forward(raw_scores, labels,
            options=dict(soft='SoftMax', num_classes=10, eps=1e-8)):
    K = options['num_classes']
    eps = options['eps']; soft_option = options['soft']
    one_hots = torch.nn.functional.one_hot(\\
        labels, num_classes=K)*(1-K*eps)+eps)
    if soft_option=='SoftMax':
        soft_scores = torch.nn.functional.SoftMax(raw_scores,dim=1)
        target_scores = one_hots
    elif soft_option=='sigmoid':
        soft_scores = torch.nn.functional.sigmoid(raw_scores)
        target_scores = one_hots
    elif soft_option=='hardsigmoid':
        soft_scores = torch.nn.functional.hardsigmoid(raw_scores)
        target_scores = one_hots
    elif soft_option=='tanh':
        soft_scores = torch.nn.functional.tanh(raw_scores)
        target_scores = 2.*one_hots-1.
    elif soft_option=='hardtanh':
        soft_scores = torch.nn.functional.hardtanh(raw_scores)
        target_scores = 2.*one_hots-1.
    soft_scores.requires_grad = False
    soft_errors = soft_scores - target_scores
    mse_soft = torch.mean(soft_errors**2)
    return mse_soft, soft_errors, soft_scores
"""

SETUP_CONTEXT = """\
def setup_context(ctx, inputs, output):
    raw_scores, labels, options = inputs
    mse_soft, soft_errors, soft_scores = output
    ctx.set_materialize_grads(False)
    ctx.soft_errors = soft_errors
"""

BACKWARD = """\
def backward(ctx, grad_mse, grad_errors, grad_scores):
    return ctx.soft_errors, None, None
"""

ISBE_FUNC_WITH_OPTIONS = """\
def isbe_func_(raw_scores, labels,
              options=dict(soft='SoftMax', num_classes=10, eps=1e-8)):
    return ISBE_func.apply(raw_scores, labels, options)
"""

ISBE_FUNC = """\
isbe_func = lambda raw_scores, labels:\\
    isbe_func_(raw_scores, labels, options=ex.loss_options)[0]
"""

ISBE_BACKWARD = """\
isbe_backward = lambda soft_error: soft_error.backward()
"""

CROSS_ENTROPY = """\
tones_ = torch.ones(ex.batch_size).to(ex.device)
cross_entropy_func = lambda x,t:\\
    F.cross_entropy(x,t,reduction=ex.loss_options['reduction'],
                    label_smoothing=ex.loss_options['label_smoothing'])
ce_backward = lambda loss: loss.backward(tones_[:loss.size(0)])\\
    if ex.loss_options['reduction']=='none' else loss.backward()
"""
