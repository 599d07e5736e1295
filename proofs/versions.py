"""What changed between the first version of the paper, arXiv:2311.16357v1, and the version of record, Entropy 26, 65.

Only differences in content are listed, in the order of the version of record: not wording, spelling or the names of
functions in running text, nor what says how the paper is organised. The first version was compared as extracted text,
in which formulas, tables and figures are lost: what stands in them is not compared, and quotes show gaps where formulas
were. Quotes are verbatim but for white space.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One difference between the two versions.

    Attributes:
        where: what it is about, and where in the version of record.
        arxiv: the first version's words; nothing if it has none on this.
        record: the words of the version of record; nothing if it has none on this.
        claims: the claims of the ledger that it concerns.
        remark: what the difference comes to.
    """

    where: str
    arxiv: str
    record: str
    claims: tuple[str, ...] = ()
    remark: str = ""


DIFFERENCES: tuple[Difference, ...] = (
    # --- title page and introduction ----------------------------------------------------------------------------------
    Difference(
        "Abstract: what is saved",
        "Moreover, up to three percent of time is saved within the total time of forward and backward stages.",
        "Moreover, savings in the total number of operations were observed within the forward and backward stages.",
        claims=("S0.operations",),
        remark="The abstract no longer speaks of time, and names no figure; sections 4.2 and 5 still say up to 3%.",
    ),
    Difference(
        "Abstract: to which functions the trick applies",
        "formally proves that the softmax trick only applies to the class of softmax functions with relocations.",
        "formally proves that the SoftMax trick only applies to the class of dilated SoftMax functions with "
        "relocations.",
        claims=("S0.only-generalised", "A1.2-1"),
        remark="The class grows by the dilations.",
    ),
    Difference(
        "Section 1: the computing graph",
        "the order of processing steps is determined by a directed graph of connections without loops.",
        "The computing graph is always directed and acyclic (DAG). Interestingly, even recurrent neural networks, "
        "such as the LSTM (Long Short-Term Memory) nets, which are trained using gradient methods, have DAG-type "
        "computational graphs defined.",
        remark="The version of record adds that recurrent networks are no exception.",
    ),
    Difference(
        "Section 1: the whole network from its units",
        "",
        "is the result of combining the results of the activities for individual units",
        remark="New: the network as the composition of its units, each with parameters of its own.",
    ),
    Difference(
        "Section 1: why scores close to zero make trouble",
        "",
        "In formulas of properties 1–3 in Theorem 1 of Section 2, we see from where the problem comes.",
        claims=("S1.separated", "T1.1", "T1.2", "T1.3"),
        remark="New, and it leans on three properties of the new theorem.",
    ),
    Difference(
        "Section 1: where the gradient was derived before",
        "This redundancy in notation was helpful in deriving the equation for the gradient backpropagation for the "
        "integrated loss function ([25]).",
        "Later, we will also use for such composition the name",
        claims=("E1",),
        remark="The reference to a blog is gone, and the composition has the name SoftCE.",
    ),
    Difference(
        "Section 1: the contributions",
        "",
        "Verification of ISBE feasibility and efficiency on two datasets and three CNN architectures.",
        claims=("S1.architectures", "S1.characterization"),
        remark="New, as is the list in which it stands: the functionality, the experiments, the characterisation.",
    ),
    Difference(
        "Section 1: what is not claimed",
        "",
        "this work is not intended to depreciate the concept of entropy in the context of machine learning.",
        remark="New: a paragraph that limits the thesis to how gradients are computed for optimizers.",
    ),
    Difference(
        "Section 1: where cross-entropy comes from",
        "",
        "maximizing the negative logarithm of the likelihood function directly leads to the cross-entropy function",
        claims=("S1.maximizing",),
        remark="New, in that paragraph.",
    ),
    # --- section 2 ----------------------------------------------------------------------------------------------------
    Difference(
        "Section 2: the SoftMax trick as a theorem",
        "In matrix notation ([30]), the property of softmax trick has a longer proof",
        "The *SoftMax trick* can be described as a theorem and proved in two ways: the elementary one and via the "
        "matrix calculus.",
        claims=("T1.4a", "T1.4b", "T1.4c", "E4"),
        remark="The derivations stood in Appendix A, under no theorem; now they are Theorem 1, in a section of its "
        "own.",
    ),
    Difference(
        "Section 2, Theorem 1: ranges and partial derivatives",
        "",
        "The following theorem includes elementary properties of the cross-entropy function, optionally preceded by "
        "the *SoftMax* normalization.",
        claims=("T1.1", "T1.2", "T1.3", "T1.4d"),
        remark="New: the gradient of CE as a property, and the ranges of CE and of SoftCE.",
    ),
    Difference(
        "Section 2: the gradient of cross-entropy",
        "where the operation denotes division by components of vectors",
        "is not defined at the zero components",
        claims=("E3", "S2.near-zero"),
        remark="The version of record says where the gradient, equation (3), does not exist.",
    ),
    # --- section 3 ----------------------------------------------------------------------------------------------------
    Difference(
        "Section 3: what the key formula rests on",
        "formulated in equation (6), which was defined in the theorem 1 as the softmax trick property.",
        "formulated in Equation (4), which as it was already mentioned, was proved in the Theorem 1 as the *SoftMax "
        "trick* property.",
        claims=("T1.4c", "S3.same-gradient"),
        remark="From a property in the characterisation to the SoftMax trick itself, which is all that is needed.",
    ),
    Difference(
        "Section 3: necessary and sufficient conditions",
        "The equation (5) on the form of the Jacobian of the normalization unit is both a sufficient and necessary "
        "condition for its combination with the cross-entropy unit to ensure the equality (6).",
        "the Equation (A2) on the form of the Jacobian of the normalization unit is both a sufficient and necessary "
        "condition for its combination with the cross-entropy unit to ensure the equality (A3).",
        claims=("S3.sufficient-and-necessary", "S3.only-relocated"),
        remark="The equations now have a dilation. The sentence that follows, “a *SoftMax* function with optional "
        "relocation”, was not changed with them and leaves the dilation out.",
    ),
    Difference(
        "Section 3: the function normalize",
        "In contrast, the function normalize gave results over worse - on the same MNIST(60K) collection and with "
        "the same architectures.",
        "with the function `normalize`, the optimizer failed to converge on the same MNIST (60K) collection and with "
        "the same architectures.",
        claims=("S3.normalize.diverges",),
        remark="A worse result became a failure to converge.",
    ),
    Difference(
        "Section 3: the name of the function in the listings",
        "soft_error = softmax(outputs) - labels",
        "soft_error = SoftMax(outputs) - labels",
        claims=("S3.code.isbe", "B.forward.runs"),
        remark="Renamed throughout, in the names of PyTorch's functions too.",
    ),
    Difference(
        "Section 3: the listing of the ISBE option",
        "Now we introduce the ISBE option for SoftMax activation:",
        "Now we introduce the ISBE option for `SoftMax` activation and replace the call for loss function by soft "
        "error calculation:",
        claims=("S3.code.isbe", "S3.code.swap"),
        remark="It had a branch for either way; now it has the ISBE way alone.",
    ),
    Difference(
        "Section 3 and Appendix B.1: the listings with more options",
        "If we want to test more options, the loop code will extend a bit:",
        "If we want to test more options and compare them with cross-entropy, the loop code will extend a bit:",
        claims=("B.options.parses", "B.options", "B.compact"),
        remark="Two listings moved from section 2 of the first version to Appendix B.1. The branch `elif # ...`, which "
        "has no condition, is in both versions.",
    ),
    # --- section 4 ----------------------------------------------------------------------------------------------------
    Difference(
        "Section 4.1.3: overfitting",
        "This is a sign that the model is not overfitted.",
        "",
        claims=("S4.1.3.validation",),
        remark="Said of a validation loss below the training loss, and dropped.",
    ),
    Difference(
        "Section 4.1.3: the augmentation",
        "This effect was achieved only after applying a moderate input image augmentation procedure.",
        "This effect was achieved only after applying a moderate input image augmentation procedure via random affine "
        "transformations in the pixel domain.",
        remark="The kind of augmentation is named, its ranges are not.",
    ),
    Difference(
        "Section 4.1.3: the loss that is drawn for ISBE",
        "",
        "where $n_b$ is the batch size.",
        claims=("S4.1.3.mse",),
        remark="The version of record says what the sum of squares is divided by.",
    ),
    Difference(
        "Section 4.2: CIFAR-10 and VGG-16",
        "",
        "In this subsection, the CIFAR-10—the more demanding than MNIST dataset is considered in the context of ISBE "
        "functionality.",
        claims=("S4.2.parameters", "S4.2.vgg16", "S4.2.convergence"),
        remark="New: the whole section, with Figures 5 to 8, a second data set and a third architecture.",
    ),
    Difference(
        "Section 4.2: no time is saved through autograd",
        "",
        "functionality with fewer operations takes slightly more time while the same functionality without explicit "
        "use of autograd mechanism gives always time savings up to 3%.",
        claims=("S4.2.autograd", "S4.2.savings"),
        remark="New: as a torch.autograd.Function, ISBE is reported to take slightly more time than cross-entropy.",
    ),
    # --- section 5 ----------------------------------------------------------------------------------------------------
    Difference(
        "Section 5: whose Jacobian it is",
        "In turn, such a Jacobian can only be by relocated versions of the SoftMax function.",
        "In turn, such a Jacobian can only be derived for *the dilated and relocated* versions of the SoftMax "
        "function.",
        claims=("S5.only-dilated", "A1c"),
        remark="The class grows by the dilations here too.",
    ),
    Difference(
        "Section 5: what dilations are good for",
        "For another research there are left practical aspects of more general theorem 2",
        "However, it is quite intuitive that the dilation vector could be used to deal with class unbalanced datasets.",
        claims=("S5.only-trick",),
        remark="A use is proposed.",
    ),
    Difference(
        "Section 5: how far the savings carry",
        "",
        "Obviously, those gains are strongly dependent on datasets and network architectures.",
        claims=("S5.up-to-three", "S5.share-is-time"),
        remark="A reservation is added.",
    ),
    Difference(
        "Section 5: the programmer's time",
        "On the other hand, the examples of code fragments showed that the programmer’s time spent on introducing "
        "the ISBE technique to his/her program instead of CrossEntropyLoss is negligible.",
        "a more complex case of integrating ISBE functionality with AD tools (Auto-Grad) of a given platform can be "
        "solved for PyTorch by copying the proven code from Appendix B.",
        claims=("B.copy",),
        remark="Dropped for a pointer to Appendix B, with the reservation that autograd consumes the savings.",
    ),
    # --- Appendix A ---------------------------------------------------------------------------------------------------
    Difference(
        "Appendix A, Theorem A1: two theorems became one",
        "The theorem 1 can be generalized to dilated version of the SoftMax function. It is reformulated in the form "
        "of theorem 2.",
        "The following theorem fully characterizes functions that have the *dilated SoftMax trick* property.",
        claims=("A1", "A1.characterizes"),
        remark="The first version has a theorem for relocations alone and states the dilated one after it. The "
        "counterexamples to Theorem A1 have d = 1 or are SoftMax itself: as far as its text goes they meet the "
        "theorem for relocations too.",
    ),
    Difference(
        "Appendix A, Theorem A1: its proof",
        "The proof of the generalized theorem can be easily generalized, too.",
        "is of the *dilated SoftMax* type",
        claims=("A1.order", "A1.3-2.swap"),
        remark="The dilated proof is now written out, with a step in which i and j are swapped.",
    ),
    Difference(
        "Appendix A, Theorem A1, property 3: the dilation",
        "possesses the dilated softmax trick property, if there exists a dilation vector such that for every :",
        "possesses the dilated SoftMax trick property, if for every target vector",
        claims=("A1.2-3", "A1.3-2"),
        remark="The version of record no longer says that the dilation exists; the ledger reads it as the first "
        "version has it.",
    ),
    Difference(
        "Appendix A: functions that are excluded",
        "",
        "Note that the above theorem excludes the functions `Sigmoid`, `Tanh` and `HardSigmoid`, `HardTanh` from the "
        "group of functions for which we can apply the `SoftMax` trick.",
        claims=("A1.excluded", "A1.excluded.reason", "A1.excluded.trick"),
        remark="New, with its reason: each of them works on every score by itself.",
    ),
    # --- Appendix B and the references --------------------------------------------------------------------------------
    Difference(
        "Appendix B.2: ISBE as a torch.autograd.Function",
        "",
        "The whole job is performed in the body of forward static method.",
        claims=("B.copy", "B.mended"),
        remark="New: the class ISBE_func, its three methods and the functions around it.",
    ),
    Difference(
        "References",
        "Softmax classification with cross-entropy. link: https://peterroelants.github.io/posts/cross-entropy-softmax/",
        "Simonyan, K.; Zisserman, A. Very Deep Convolutional Networks for Large-Scale Image Recognition.",
        remark="One left, one came; the other 31 are the same, in another order.",
    ),
)
