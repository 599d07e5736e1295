"""The methods of neighbouring works, on the trainer's own losses and steps.

    fitting        networks on features that lie in memory, trained by the trainer's step
    normalizers    SoftMax with slack, sparsemax, x / |x|
    label_only     errors from labels alone: what a linear layer becomes of them, in closed form (Li and others 2020)
    information    laws of two variables, their information, and its estimates (Qin and others 2019)
    localisation   class activation maps, infoCAM, and boxes from them (Qin and others 2019)
    long_tail      balanced error rates, and the sampler learnt by hypergradients (Ren and others 2020)
    admm           ADMM-SoftMax and what it is measured by (Fung and others 2019)
    incremental    tasks one after another, and a memory (Jodelet and others 2021)
    features       the canonical dependence matrix and rank-k training (Huang and others 2019)

`softmax_trick.experiments.studies` measures them; docs/experiments.md has what came out.
"""
