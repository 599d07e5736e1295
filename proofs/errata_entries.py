r"""The errata for the author: one entry for each root cause, with what is printed, verbatim, and what it should read.

An entry stands for the claims that it names, and is printed if one of them at least is refuted by the evidence; a test
asks that every refuted claim of the paper belongs to one entry, and only one. Misprints are listed by themselves
(`printed`).
"""

from __future__ import annotations

from dataclasses import dataclass

THEORY, NUMBERS, CODE, MISPRINTS = "Theory", "Numbers and figures", "Code", "Misprints"
GROUPS = (THEORY, NUMBERS, CODE, MISPRINTS)


@dataclass(frozen=True)
class Entry:
    """One thing to correct.

    Attributes:
        group: one of `GROUPS`.
        where: section, theorem, equation.
        printed: the words, verbatim; several if they say the same in several places.
        should_read: what is true instead; text with LaTeX between dollar signs.
        claims: the claims that are false by it, that with the plainest witness first.
        shown: the names of the witness's parts that are shown; none where the words say enough.
    """

    group: str
    where: str
    printed: tuple[str, ...]
    should_read: str
    claims: tuple[str, ...]
    shown: tuple[str, ...] = ()


ENTRIES = (
    # --- theory, the theorem of Appendix A first ---
    Entry(
        THEORY,
        "Theorem A1, and where the abstract and sections 1, 3 and 5 cite it",
        (
            r"For a differentiable function  $F : \mathbb{R}^K \rightarrow \mathbb{R}^K$ , the following three "
            "properties are equivalent:",
        ),
        "For a differentiable $F$ whose value at one point is a distribution with positive entries. The proof uses "
        "“the unity condition”, of which the statement does not speak; without it (A2), and (A3) for distributions, "
        r"hold for all $y_i = a_i e^{d_i x_i} / (C + \sum_k a_k e^{d_k x_k})$, as for SoftMax with slack:",
        (
            "A1.2-1",
            "A1",
            "A1.2-1.unity",
            "A1.characterizes",
            "S0.only-generalised",
            "S1.characterization",
            "S3.no-other-activation",
            "S3.only-relocated",
            "S5.only-dilated",
            "S5.only-trick",
            "S5.only-softmax-prevents",
        ),
        ("F", "K", "x", "y", "sum"),
    ),
    Entry(
        THEORY,
        "Theorem A1, property 3, (A3); so also section 3",
        (r"if for every target vector  $y^\circ \in [0, 1]^K$ , and  $x \in \mathbb{R}^K$",),
        r"for every $y^\circ \in [0, 1]^K$ with $\sum_k y_k^\circ = 1$. The proof writes $1_K y^\circ = 1$ over a "
        "brace. As printed, no $d$ serves both of two targets:",
        ("A1.2-3", "A1.1-3", "A1.2-3.brace", "S3.sufficient-and-necessary"),
        ("F", "K", "x", "t"),
    ),
    Entry(
        THEORY,
        "Theorem A1, property 3",
        (r"$F$  possesses the dilated SoftMax trick property, if for every target vector",),
        r"if there exists a dilation vector $d \in \mathbb{R}^K$ such that, for every target vector. $d$ is not "
        "introduced; if it may depend on $x$, other functions have the property:",
        ("A1.d",),
        ("F", "d"),
    ),
    Entry(
        THEORY,
        "Theorem 1, properties 1 and 2",
        (
            r"$\frac{\partial CE(y^\circ, y)}{\partial y_i} = \frac{y_i^\circ}{y_i}$",
            r"\nabla_y CE(y^\circ, y) = y^\circ \div y",
        ),
        r"$-y_i^\circ / y_i$ and $-y^\circ \div y$, as in equation (3).",
        ("T1.1", "T1.2"),
    ),
    Entry(
        THEORY,
        "Theorem 1, property 4 (d)",
        (r"The range of *SoftCE* covers the interval  $(-1, 1)$",),
        r"The range of each component of $\nabla_x \text{SoftCE}$ is $(-1, 1)$, for $K \geq 2$. SoftCE itself has no "
        "bound:",
        ("T1.4d",),
        ("t", "x", "SoftCE"),
    ),
    Entry(
        THEORY,
        "Section 3, the Lipschitz condition",
        (r"x \in \mathbb{R}^K, \|x\|_p \leq \epsilon \implies \|F(x)\|_p \leq c\|x\|_p",),
        r"$\Vert F(x) - F(x') \Vert_p \leq c \Vert x - x' \Vert_p$. As printed it says $F(0) = 0$, which SoftMax, "
        "Sigmoid and HardSigmoid have not, and it does not keep close scores close:",
        ("S3.lipschitz.softmax", "S3.lipschitz.sigmoid", "S3.lipschitz.hardsigmoid", "S3.lipschitz.close-scores"),
        ("F", "x", "y"),
    ),
    Entry(
        THEORY,
        "Section 1, last paragraph",
        ("maximizing the negative logarithm of the likelihood function directly leads to the cross-entropy function",),
        "minimizing the negative logarithm of the likelihood",
        ("S1.maximizing",),
    ),
    Entry(
        THEORY,
        "Section 5, third paragraph",
        (r"the linear value equal to  $Y - Y^\circ$ , which can be calculated without their participation",),
        "without the participation of the cost function. The activation makes $Y$ of $X$.",
        ("S5.without-participation",),
    ),
    Entry(
        THEORY,
        "Appendix A, proof of (3) → (2), after the swap",
        (r"$\frac{\partial y_i}{\partial x_j} = (\delta_{ji} - y_i) \cdot d_j$",),
        r"$(\delta_{ji} - y_j) \, y_i \, d_j$",
        ("A1.3-2.swap",),
    ),
    Entry(
        THEORY,
        "Appendix A, proof of (2) → (1)",
        (r"from which we can determine the general form of the function  $y_i(x)$",),
        r"where $0 < y_i < 1$; $y_i = 0$, among others, solves the equation as well, and is not of that form.",
        ("A1.2-1.general-form",),
    ),
    Entry(
        THEORY,
        "Appendix A, the remark after the proof",
        (r"In the generalized `SoftMax` function,  $y_i$  depends on all arguments",),
        r"on each $x_j$ with $d_j \neq 0$, if $K \geq 2$. What excludes the four functions is that their entries do "
        r"not sum to 1; for $K \geq 2$ none has the trick.",
        ("A1.excluded.reason",),
    ),
    Entry(
        THEORY,
        "Section 2, second proof of Theorem 1",
        (r"\left(\frac{\partial y}{\partial x}\right)_{ij} \doteq \frac{\partial y_j}{\partial x_i}",),
        r"$\left(\frac{\partial y}{\partial x}\right)_{ij} \doteq \frac{\partial y_i}{\partial x_j}$, as in Appendix "
        "A. The chain rule there has the transpose; the symmetry of SoftMax's Jacobian hides it.",
        ("T1.matrix.convention",),
    ),
    Entry(
        THEORY,
        "Section 1, the definition of CrossEntropy",
        (r"The *CrossEntropy* function on the matrix  $Y, Y^\circ \in \mathbb{R}^{n_b \times K}$",),
        r"with $Y$ positive, as SoftMax makes it",
        ("E1.domain",),
    ),
    # --- numbers and figures ---
    Entry(
        NUMBERS,
        "Table 4, N0",
        ("none	0.09%	0.09%	0.15%	0.00%	0.00%", "sum	0.13%	0.03%	0.09%	−0.06%	−0.02%"),
        "Tanh against none 0.04%, Hsigmoid against sum 0.03%: the differences of Table 3.",
        ("Tab4",),
    ),
    Entry(
        NUMBERS,
        "Section 4, on τ; abstract, sections 4.2 and 5, on the time saved",
        (
            "to be independent of the specific implementation, we will compare the percentage of the backpropagation "
            "time",
            "the ISBE functionality saves the time of forward and backward stages up to 3%",
        ),
        r"The share $\tau$ depends on the implementation, and a smaller share is less time only if inference takes "
        "the same. The largest decrease of Table 2, 3.23 points, would then be 7.6 % of the time of both stages.",
        ("S4.tau", "S4.tau-order", "S5.share-is-time", "S5.up-to-three", "S4.2.savings"),
    ),
    Entry(
        NUMBERS,
        "Section 4.1, reductions",
        (
            "only the option of reduction by none behaves exactly according to theory, i.e., the success rate is "
            "identical to the model using *SoftMax* normalization. Options mean and sum for the model with *entropy* "
            "are slightly better than the model with *SoftMax*.",
        ),
        "By theory none and sum send what ISBE with SoftMax does. In Table 3 none is identical to SoftMax for N0 "
        "only, and mean and sum are better than SoftMax for N0 only (for N1r sum, by one image).",
        ("S4.1.only-none", "S4.1.none-identical", "S4.1.mean-sum"),
    ),
    Entry(
        NUMBERS,
        "Section 3, after the four items",
        ("provide effective classification at a level of effectiveness higher than 99.5%",),
        "of 99.41% and more: on N0 only Sigmoid is above 99.5% in Table 3.",
        ("S3.above-99.5",),
    ),
    Entry(
        NUMBERS,
        "Section 4.1, on the hard functions",
        (
            r"an improvement in the metric of success rate  $\alpha$  in the case of hard activation functions "
            "*HardTanh* and *HardSigmoid*",
        ),
        r"for N0 and N1; for N1r HardSigmoid is below none and sum.",
        ("S4.1.hard",),
    ),
    Entry(
        NUMBERS,
        "Section 4.1.1, on Table 2",
        (
            r"The smallest decrease in architecture  $\mathcal{N}_0$  is noted for the soft (soft) normalization "
            "function *Tanh* and its hard version *HardTanh*.",
        ),
        "for Tanh and HardSigmoid",
        ("S4.1.1.smallest",),
    ),
    Entry(
        NUMBERS,
        "Section 4.1.2, on Table 4",
        (
            "with the exception of the function *SoftMax*, which on several images of digits performed worse than the "
            "model with cross-entropy, the soft activations have an efficiency slightly or significantly better",
            "The largest difference noted for the option *SoftMax* was 15-hundredths of a percent",
        ),
        "Tanh on N0 is not better than mean, and worse than sum. 0.15% is Sigmoid's (N0 against none); SoftMax's "
        "largest difference is −0.06%.",
        ("S4.1.2.largest", "S4.1.2.soft"),
    ),
    Entry(
        NUMBERS,
        "Section 4.1, N0",
        (r"\text{here } ? = 64",),
        "2304 with the convolutions as printed (3136 with padding)",
        ("S4.1.n0-features",),
    ),
    Entry(
        NUMBERS,
        "Section 4.1, N1",
        ("consists of two blocks, each with three convolutions", "so that the image resolution does not change"),
        "Its formula has a seventh convolution after the blocks, 128 masks of 4 x 4; and with a stride of 2 the last "
        "one of a block halves the resolution, padded or not.",
        ("S4.1.n1-blocks", "S4.1.n1-resolution"),
    ),
    Entry(
        NUMBERS,
        "Section 4.1.3, the loss of ISBE",
        (r"\mathcal{L}_{ISBE} = MSE(Y, Y^\circ) \doteq \frac{1}{n_b} \cdot \|Y - Y^\circ\|_2^2",),
        r"$\frac{1}{n_b K}$, if it is what Appendix B computes (torch.mean over all entries).",
        ("S4.1.3.mse",),
    ),
    Entry(
        NUMBERS,
        "Section 4.1.3, the sets of curves, and Figures 2 and 3",
        ("CE none, CE mean, CE sum versus SoftMax", "(2) CE none, CE mean versus SoftMax"),
        "one of the two: the captions leave CE sum out of the second and the third panel.",
        ("S4.1.3.panels",),
    ),
    Entry(
        NUMBERS,
        "Section 4.2, VGG-16",
        ("Its structure has the following sequential form:",),
        "The 13 convolutions of VGG-16 and one linear layer in the place of its three.",
        ("S4.2.vgg16",),
    ),
    Entry(
        NUMBERS,
        "Abstract",
        ("Using examples of perceptron and convolutional networks as classifiers of images from the MNIST collection",),
        "of convolutional networks: N0 and N1 both are.",
        ("S0.perceptron",),
    ),
    # --- code ---
    Entry(
        CODE,
        "Appendix B.2, the class ISBE_func; section 5",
        ("by copying the proven code from Appendix B",),
        "The code does not run as printed: three def lines lack their colons, the statement of one_hots closes a "
        "parenthesis too many, and torch.nn.functional.SoftMax is called softmax.",
        ("B.copy", "B.skeleton", "B.forward.parses", "B.forward.runs"),
    ),
    Entry(
        CODE,
        "Appendix B.2, backward",
        ("return ctx.soft_errors, None, None",),
        "grad_mse times the gradient of the value is what autograd asks for. As printed a factor on the loss changes "
        "nothing, 0 included; the outputs have wrong gradients; second derivatives are wrong without an exception; "
        "each batch stays in memory until the garbage collector runs. The supplement repairs it (B.mended).",
        ("B.chain-rule", "B.gradcheck", "B.outputs", "B.second", "B.flag", "B.cycle"),
    ),
    Entry(
        CODE,
        "Section 4.2, last paragraph",
        ("functionality with fewer operations takes slightly more time",),
        "ISBE_func executes more operators than F.cross_entropy (13 against 5): labels are made vectors in each call, "
        "and the mean square error is computed, which nothing needs.",
        ("S4.2.fewer-operations",),
    ),
    Entry(
        CODE,
        "Sections 3 and 4.1, Appendix B: HardSigmoid",
        (r"\frac{x_i+2}{4} & \text{gdy } -2 < x_i < +2",),
        r"PyTorch's hardsigmoid, which the code calls, is $\frac{x_i+3}{6}$ for $-3 < x_i < 3$.",
        ("S4.1.hardsigmoid-torch", "B.hardsigmoid"),
    ),
    Entry(
        CODE,
        "Section 3, the two loops",
        ("replace the call for loss function by soft error calculation",),
        'The error is the same for nn.CrossEntropyLoss(reduction="sum"); by default it is 1/n_b of it. And the second '
        "loop needs labels as vectors, where the first takes class indices too.",
        ("S3.code.swap", "S3.code.labels"),
    ),
    Entry(
        CODE,
        "Appendix B.1, loops 2 and 3",
        ("elif # ...", "loss.backward()"),
        "The branch has no condition; the second test of soft_option should be an elif. With "
        'reduction="none", loss.backward() needs a vector of ones.',
        ("B.options.parses", "B.options.chain", "B.options.none"),
    ),
    Entry(
        CODE,
        "Appendix B.2, isbe_backward",
        ("isbe_backward = lambda soft_error: soft_error.backward()",),
        "lambda value: value.backward(), for the value that isbe_func returns: for a soft error, which is a matrix, "
        "backward() raises.",
        ("B.isbe-backward",),
    ),
    Entry(
        CODE,
        "Appendix B.2; section 3, item 4",
        (
            "we have to define three static methods",
            "This operation is known in Pytorch library as `normalize` function.",
        ),
        r"Two are enough (setup_context is for torch.func). And normalize divides by "
        r"$\max(\Vert x \Vert_p, 10^{-12})$.",
        ("B.three-methods", "S3.normalize.torch"),
    ),
    Entry(
        MISPRINTS,
        "References, 26",
        ("accessed on 11 November 2013",),
        "2023, presumably: the page is of 2016",
        ("R.accessed",),
    ),
)
