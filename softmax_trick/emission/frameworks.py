"""How each framework writes the functions of the language: one table each, and the helpers that a module needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Framework:
    """A framework's way to write things.

    Attributes:
        name: its name.
        module: the name of the module that has exp, log, where, ...
        imports: the lines that import it, by the prefix that asks for them.
        functions: templates of functions of entries, with {0}, {1}; those that are missing are module.name(...).
        named: templates of functions along axes, with {0} and {axis}.
        helpers: functions that the module defines itself where it uses them, by name.
        cast: how a truth value becomes a number, with {0}.
        like: the arguments that make a new array like the variable, with {x}.
        others: templates of one-hot vectors and of the diagonal of a matrix.
    """

    name: str
    module: str
    imports: dict[str, str]
    functions: dict[str, str]
    named: dict[str, str]
    helpers: dict[str, str]
    cast: str
    like: str
    others: dict[str, str]


_COMMON = {
    "exp": "{m}.exp({0})",
    "log": "{m}.log({0})",
    "log1p": "{m}.log1p({0})",
    "expm1": "{m}.expm1({0})",
    "sqrt": "{m}.sqrt({0})",
    "square": "{m}.square({0})",
    "tanh": "{m}.tanh({0})",
    "sinh": "{m}.sinh({0})",
    "cosh": "{m}.cosh({0})",
    "abs": "{m}.abs({0})",
    "sign": "{m}.sign({0})",
    "where": "{m}.where({0}, {1}, {2})",
    "maximum": "{m}.maximum({0}, {1})",
    "minimum": "{m}.minimum({0}, {1})",
}
_REDUCED = {
    "sum": "{0:atom}.sum({axis})",
    "mean": "{0:atom}.mean({axis})",
    "dot": "({0:product} * {1:product}).sum({axis})",
}


def _functions(module: str, **own: str) -> dict[str, str]:
    return {name: text.replace("{m}", module) for name, text in _COMMON.items()} | own


def _helpers(module: str, own: dict[str, str]) -> dict[str, str]:
    return {name: text.replace("{m}", module).strip() + "\n" for name, text in (_SHARED | own).items()}


_SHARED = {
    "spread": '''
def spread(u, *sizes):
    """u, repeated along its last dimensions up to these sizes."""
    return {m}.broadcast_to(u, (*u.shape[: -len(sizes)], *sizes))
''',
}

TORCH = Framework(
    name="torch",
    module="torch",
    imports={"torch": "import torch", "F.": "import torch.nn.functional as F", "math.": "import math"},
    functions=_functions(
        "torch",
        sigmoid="torch.sigmoid({0})",
        log_sigmoid="F.logsigmoid({0})",
        softplus="-F.logsigmoid(-{0:atom})",  # F.softplus is linear above 20
        silu="F.silu({0})",
        normal_cdf="torch.special.ndtr({0})",
        normal_pdf="torch.exp(-torch.square({0}) / 2) / math.sqrt(2 * math.pi)",
        erf="torch.erf({0})",
        relu="torch.relu({0})",
        maximum="torch.clamp({0}, min={1})",  # torch.maximum takes no numbers
        minimum="torch.clamp({0}, max={1})",
    ),
    named=_REDUCED
    | {
        "max": "{0:atom}.amax({axis})",
        "min": "{0:atom}.amin({axis})",
        "norm": "torch.linalg.vector_norm({0}, dim={axis})",
        "logsumexp": "torch.logsumexp({0}, {axis})",
        "softmax": "torch.softmax({0}, {axis})",
        "log_softmax": "torch.log_softmax({0}, {axis})",
    },
    helpers=_helpers(
        "torch",
        {
            "pick": '''
def pick(u, c):
    """The labelled entries, u[..., c]."""
    u, c = torch.broadcast_tensors(u, c[..., None])
    return torch.gather(u, -1, c[..., :1])[..., 0]
''',
            "softmax_over": '''
def softmax_over(u, axes):
    """softmax over several axes together."""
    return torch.exp(log_softmax_over(u, axes))
''',
            "log_softmax_over": '''
def log_softmax_over(u, axes):
    """log_softmax over several axes together."""
    return u - torch.logsumexp(u, axes, keepdim=True)
''',
            "softmax_with_slack": '''
def softmax_with_slack(u, slack, axis):
    """exp(u)/(slack + sum(exp(u))); the slack has the dimensions of u."""
    largest = u.detach().amax(axis, keepdim=True).clamp_min(0)
    powers = torch.exp(u - largest)
    return powers / (slack * torch.exp(-largest) + powers.sum(axis, keepdim=True))
''',
        },
    ),
    cast="({0}).to({x}.dtype)",
    like="dtype={x}.dtype, device={x}.device",
    others={
        "onehot": "F.one_hot({0}, {1}).to({x}.dtype)",
        "diagonal": "torch.diagonal({0}, dim1=-2, dim2=-1)",
    },
)

NUMPY = Framework(
    name="numpy",
    module="np",
    imports={"np.": "import numpy as np", "math.": "import math"},
    functions=_functions(
        "np",
        sigmoid="sigmoid({0})",
        log_sigmoid="-np.logaddexp(0, -{0:atom})",
        softplus="np.logaddexp(0, {0})",
        silu="silu({0})",
        normal_cdf="normal_cdf({0})",
        normal_pdf="np.exp(-np.square({0}) / 2) / math.sqrt(2 * math.pi)",
        erf="erf({0})",
        relu="np.maximum({0}, 0)",
    ),
    named=_REDUCED
    | {
        "max": "{0:atom}.max({axis})",
        "min": "{0:atom}.min({axis})",
        "norm": "np.linalg.norm({0}, axis={axis})",
        "logsumexp": "logsumexp({0}, {axis})",
        "softmax": "softmax({0}, {axis})",
        "log_softmax": "log_softmax({0}, {axis})",
    },
    helpers=_helpers(
        "np",
        {
            "labels": '''
def labels(c, size):
    """Labels as integers from 0 to size - 1."""
    c = np.asarray(c)
    if c.dtype.kind not in "iu" or np.any((c < 0) | (c >= size)):
        raise IndexError(f"labels are integers from 0 to {size - 1}")
    return c
''',
            "pick": '''
def pick(u, c):
    """The labelled entries, u[..., c]."""
    u, c = np.broadcast_arrays(u, c[..., None])
    return np.take_along_axis(u, c[..., :1], -1)[..., 0]
''',
            "logsumexp": '''
def logsumexp(u, axis):
    """log(sum(exp(u))); nothing overflows."""
    largest = u.max(axis, keepdims=True)
    return np.squeeze(largest, axis) + np.log(np.exp(u - largest).sum(axis))
''',
            "softmax": '''
def softmax(u, axis):
    """exp(u)/sum(exp(u)); nothing overflows."""
    powers = np.exp(u - u.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)
''',
            "log_softmax": '''
def log_softmax(u, axis):
    """log(softmax(u)), without the logarithm of a small number."""
    u = u - u.max(axis, keepdims=True)
    return u - np.log(np.exp(u).sum(axis, keepdims=True))
''',
            "softmax_with_slack": '''
def softmax_with_slack(u, slack, axis):
    """exp(u)/(slack + sum(exp(u))); the slack has the dimensions of u."""
    largest = np.maximum(u.max(axis, keepdims=True), 0)
    powers = np.exp(u - largest)
    return powers / (slack * np.exp(-largest) + powers.sum(axis, keepdims=True))
''',
            "silu": '''
def silu(u):
    """u sigmoid(u)."""
    return u * sigmoid(u)
''',
            "normal_cdf": '''
def normal_cdf(u):
    """The integral of the normal density up to u."""
    return np.vectorize(math.erfc, otypes=[u.dtype])(-u / math.sqrt(2)) / 2
''',
            "erf": '''
def erf(u):
    """2 normal_cdf(sqrt(2) u) - 1, without cancellation at 0."""
    return np.vectorize(math.erf, otypes=[u.dtype])(u)
''',
            "sigmoid": '''
def sigmoid(u):
    """1/(1 + exp(-u)); nothing overflows."""
    small = np.exp(-np.abs(u))
    return np.where(u >= 0, 1, small) / (1 + small)
''',
        },
    ),
    cast="({0}).astype({x}.dtype)",
    like="dtype={x}.dtype",
    others={
        "onehot": "np.eye({1}, dtype={x}.dtype)[{0}]",
        "diagonal": "np.diagonal({0}, axis1=-2, axis2=-1)",
    },
)

JAX = Framework(
    name="jax",
    module="jnp",
    imports={"jax.": "import jax", "jnp.": "import jax.numpy as jnp", "math.": "import math"},
    functions=_functions(
        "jnp",
        sigmoid="jax.nn.sigmoid({0})",
        log_sigmoid="jax.nn.log_sigmoid({0})",
        softplus="jax.nn.softplus({0})",
        silu="jax.nn.silu({0})",
        normal_cdf="jax.lax.erfc(-{0:atom} / math.sqrt(2)) / 2",
        normal_pdf="jnp.exp(-jnp.square({0}) / 2) / math.sqrt(2 * math.pi)",
        erf="jax.lax.erf({0})",
        relu="jax.nn.relu({0})",
    ),
    named=_REDUCED
    | {
        "max": "{0:atom}.max({axis})",
        "min": "{0:atom}.min({axis})",
        "norm": "jnp.linalg.norm({0}, axis={axis})",
        "logsumexp": "jax.nn.logsumexp({0}, {axis})",
        "softmax": "jax.nn.softmax({0}, {axis})",
        "log_softmax": "jax.nn.log_softmax({0}, {axis})",
    },
    helpers=_helpers(
        "jnp",
        {
            "pick": '''
def pick(u, c):
    """The labelled entries, u[..., c]."""
    u, c = jnp.broadcast_arrays(u, c[..., None])
    return jnp.take_along_axis(u, c[..., :1], -1)[..., 0]
''',
            "softmax_with_slack": '''
def softmax_with_slack(u, slack, axis):
    """exp(u)/(slack + sum(exp(u))); the slack has the dimensions of u."""
    largest = jax.lax.stop_gradient(jnp.maximum(u.max(axis, keepdims=True), 0))
    powers = jnp.exp(u - largest)
    return powers / (slack * jnp.exp(-largest) + powers.sum(axis, keepdims=True))
''',
            "sum_to": '''
def sum_to(u, shape):
    """u, summed over the leading dimensions along which an argument of this shape was repeated."""
    u = u.sum(tuple(range(u.ndim - len(shape))))
    return u.sum(tuple(i for i, size in enumerate(shape) if size < u.shape[i]), keepdims=True)
''',
        },
    ),
    cast="({0}).astype({x}.dtype)",
    like="dtype={x}.dtype",
    others={
        "onehot": "jax.nn.one_hot({0}, {1}, dtype={x}.dtype)",
        "diagonal": "jnp.diagonal({0}, axis1=-2, axis2=-1)",
    },
)

FRAMEWORKS = {framework.name: framework for framework in (TORCH, JAX, NUMPY)}
