r"""What the paper prints, verbatim, where the ledger reads words and not formulas: lists, numbers, misprints.

The tables stand in `tables`, the listings in `listings`, the captions in `section_4_curves`, each quoted sentence with
its claim, what the errata quote in `errata_entries`. A test holds all of them against the paper's text, word for word.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

# Section 3, "Which activation functions should we reach for in order to test them in the ISBE technique?": the
# beginning of each item of the list.
RECOMMENDATIONS = (
    "The SoftMax activation function should be the first candidate for comparison",
    "Activations should be monotonic so that the largest value of the raw score remains the largest score",
    "Soft scores should be within a limited range",
    "The activation function should not map two close scores to distant scores.",
)


@dataclass(frozen=True)
class Number:
    """A number of the paper's prose.

    Attributes:
        digits: as printed.
        words: among which they stand.
        unit: what they count: 1000 where the print has a K, a million for an M.
    """

    digits: str
    words: str
    unit: int = 1

    @property
    def value(self) -> Fraction:
        """The number."""
        return Fraction(self.digits) * self.unit

    def __int__(self) -> int:
        if self.value.denominator != 1:
            raise ValueError(f"{self.digits} is not a whole number")
        return int(self.value)


ABOVE = Number("99.5", "at a level of effectiveness higher than 99.5%")
IMAGES = Number("60", "on the standard MNIST (60K) image collection", 1000)
TRAINING_IMAGES = Number("54", "obtained on training data MNIST(54K)", 1000)
VALIDATION_IMAGES = Number("6", "solely for model validation MNIST(6K)", 1000)
TEST_IMAGES = Number("10", "elements from the test collection MNIST (10K)", 1000)
GOOD = Number("99.6", "the efficiency of the model above 99.6% meant at most 40 errors")
ERRORS = Number("40", "the efficiency of the model above 99.6% meant at most 40 errors")
OVER = Number("3", "The greatest decrease in the share of backpropagation, over 3%")
SAVED = Number("3", "gives always time savings up to 3%")
SAVED_IN_ALL = Number("3", "saves the time of forward and backward stages up to 3%")
LARGEST_DIFFERENCE = Number("15", "was 15-hundredths of a percent, meaning 15 more images correctly classified")
BEST = Number("99.69", "achieved the best efficiency of 99.69%")
LEAST_AT_THE_END = Number("99.4", "all curves tend to be chaotic within the range of (99.4, 99.7)")
MOST_AT_THE_END = Number("99.7", "all curves tend to be chaotic within the range of (99.4, 99.7)")
PARAMETERS = Number("14", "the VGG feature extractor with more than 14 M parameters", 1_000_000)
TIMES_LARGER = Number("10", "more than 10 times larger model than")
BEST_OF_VGG = Number("93", "the best results on the independent testing dataset of 10 thousand images are near 93%")
RATE_FOR_MNIST = Number("0.01", "now the initial learning rate is 0.1, not 0.01")
RATE_FOR_CIFAR = Number("0.1", "now the initial learning rate is 0.1, not 0.01")
SETTLED = Number("30", "the validation curve from about epoch 30 is below the training curve")
PAGE_FROM = Number("2016", "https://eli.thegreenplace.net/2016/the-softmax-function-and-its-derivative/")
ACCESSED = Number("2013", "the-softmax-function-and-its-derivative/> (accessed on 11 November 2013)")


@dataclass(frozen=True)
class Misprint:
    """A slip of the pen: what is printed in one place, against what is printed of the same thing in another.

    Attributes:
        claim: the ID of the claim that it would be right.
        title: in a line.
        where: section and equation.
        printed: the words, verbatim.
        wrong: of them, what is wrong.
        right: what is meant.
        elsewhere: words of the paper that have it right, verbatim.
    """

    claim: str
    title: str
    where: str
    printed: str
    wrong: str
    right: str
    elsewhere: str


MISPRINTS = (
    Misprint(
        "E1.z",
        "the losses Z of a batch have one letter",
        "section 1, definition of CrossEntropy",
        r"b \in [n_b], z \in \mathbb{R}^{n_b}",
        r"z \in",
        r"Z \in",
        r"$Z$ output of cross-entropy CE,  $Z \in \mathbb{R}$",
    ),
    Misprint(
        "T1.dimension",
        "the predicted distribution y of Theorem 1 has K components",
        "section 2, Theorem 1",
        r"be the target probability distribution and  $y \in (0, 1)$",
        r"(0, 1)$",
        r"(0, 1)^K$",
        r"the probability distribution  $y \in (0, 1)^K$",
    ),
    Misprint(
        "A1.k",
        "the dilation vector of property 2 has K components",
        "Appendix A, Theorem A1, property 2",
        r"there exists dilation vector  $d \in \mathbb{R}^k$",
        r"\mathbb{R}^k",
        r"\mathbb{R}^K",
        r"a dilation vector  $d \in \mathbb{R}^K$",
    ),
    Misprint(
        "A1.n",
        "F maps K scores to K scores throughout Appendix A",
        "Appendix A, first paragraph; the remark after the proof has $x_1, \\dots, x_n$",
        r"for any differentiable function  $F : \mathbb{R}^n \rightarrow \mathbb{R}^n$",
        r"\mathbb{R}^n \rightarrow \mathbb{R}^n",
        r"\mathbb{R}^K \rightarrow \mathbb{R}^K",
        r"For a differentiable function  $F : \mathbb{R}^K \rightarrow \mathbb{R}^K$",
    ),
    Misprint(
        "A1.2-3.row",
        "(2) -> (3): the brace has the row of ones",
        "Appendix A, proof of (2) -> (3)",
        r"\overbrace{(y \div y)^T}^{1_K y^\circ = 1}",
        r"1_K y^\circ",
        r"\mathbf{1}_K^T y^\circ",
        r"\underbrace{(y \div y)^T}_{\mathbf{1}_K^T y^\circ = 1}",
    ),
    Misprint(
        "S4.1.gdy",
        "the cases of HardSigmoid are introduced by an English word",
        "section 4.1, HardSigmoid, three times",
        r"0 & \text{gdy } x_i \leq -2",
        "gdy",
        "if",
        r"-1 & \text{if } x_i \leq -1",
    ),
    Misprint(
        "S4.1.1.soft",
        "the soft normalization function is called soft once",
        "section 4.1.1",
        "is noted for the soft (soft) normalization function *Tanh*",
        "soft (soft) normalization",
        "soft normalization",
        "is compared with five functions of soft normalization",
    ),
    Misprint(
        "S4.1.3.isbn",
        "the curves of Figure 4 are of ISBE",
        "section 4.1.3, above Figure 4",
        "slightly more stable behavior for ISBN-based curves",
        "ISBN-based",
        "ISBE-based",
        "the loss curves in ISBE-based clusters",
    ),
    Misprint(
        "S4.2.w",
        "the best results known are on CIFAR-10",
        "section 4.2",
        "The best results known w CIFAR-10",
        " w CIFAR-10",
        " on the training set CIFAR-10",
        "achieved by VGG-16 on the training set CIFAR-10",
    ),
)
