"""A formula and its proved gradient as a module for torch, JAX or numpy.

`emit(derive(f, x), "torch")` is the text of a self-contained module: the value, stable at large scores, and a backward
written from the gradient that was proved equal to the derivative; of the inputs only what the gradient needs is saved.
All arrays may have leading dimensions, a batch's, which broadcast.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from softmax_trick.derivation.derivation import Derivation, scope_in_words
from softmax_trick.derivation.forms import form_of, with_names
from softmax_trick.emission.array_code import Body, Unemittable
from softmax_trick.emission.frameworks import FRAMEWORKS, Framework
from softmax_trick.emission.stable_forms import stable
from softmax_trick.language.expression import (
    Comprehension,
    Definition,
    Delta,
    Derivative,
    DerivativeKind,
    Expression,
    Variable,
    size_of,
)
from softmax_trick.language.text import to_text

INDENT = "    "
# What a name of the module may not hide.
RESERVED = {"torch", "np", "jnp", "jax", "math", "F", "any", "tuple", "range", "enumerate", "staticmethod", "value"}
RESERVED |= {"ctx", "gradient", "result", "saved", "value_and_gradient", "Value", "RuntimeError", "ValueError"}
RESERVED |= {name for framework in FRAMEWORKS.values() for name in framework.helpers}


@dataclass(frozen=True)
class Emission:
    """What a module is written from.

    Attributes:
        derivation: the formula and its derivatives.
        value: the formula, in a form that floating point can evaluate.
        gradient: the proved gradient (of a vector: the vjp), in such a form.
        inputs: the variables in the order of the arguments, the one that it is differentiated by first.
        direction: of a vector, the variable of the vjp that stands for the cotangent.
        names: the names in the code, by those in the formula; that of the cotangent by "".
        sizes: sizes that are given.
    """

    derivation: Derivation
    value: Expression
    gradient: Expression
    inputs: tuple[Variable, ...]
    direction: Variable | None
    names: Mapping[str, str]
    sizes: Mapping[str, int]

    @property
    def by(self) -> Variable:
        """The variable that it is differentiated by."""
        return self.inputs[0]

    @property
    def cotangent(self) -> str:
        """The name of the cotangent in the code."""
        return self.names["" if self.direction is None else self.direction.name]

    def named(self, variables: tuple[Variable, ...]) -> list[str]:
        """The names of variables in the code."""
        return [self.names[one.name] for one in variables]

    @property
    def arguments(self) -> str:
        """The names of the inputs, as in a definition."""
        return ", ".join(self.named(self.inputs))

    @property
    def others(self) -> tuple[Variable, ...]:
        """The inputs that it is not differentiated by, labels left out."""
        return tuple(one for one in self.inputs[1:] if one.kind != "label")

    @property
    def labels(self) -> tuple[Variable, ...]:
        """The labels among the inputs."""
        return tuple(one for one in self.inputs if one.kind == "label")

    def body(self, framework: Framework, *roots: Expression, cotangent: bool = False) -> Body:
        """A function body, with the inputs as arguments, and the cotangent if asked for."""
        more = (self.direction,) if cotangent and self.direction is not None else ()
        return Body(framework, roots, (*self.inputs, *more), self.by, self.names, self.sizes)


def prepared(derivation: Derivation, sizes: Mapping[str, int] | None = None) -> Emission:
    """What a module is written from.

    Raises:
        Unemittable: the gradient was not proved, or the formula has no array form.
    """
    kind: DerivativeKind = "vjp" if derivation.value.axes else "gradient"
    if kind not in derivation.forms or derivation.forms[kind].form is None:
        raise Unemittable("no code without a proof: no form of the gradient was proved")
    raw, gradient = derivation.forms[kind].of, derivation[kind]
    direction = raw.direction if isinstance(raw, Derivative) and isinstance(raw.direction, Variable) else None
    named = dict.fromkeys(
        node
        for one in (gradient, derivation.value)
        for node in reversed(list(one.nodes()))
        if isinstance(node, Definition)
    )
    value = with_names(_without_indices(derivation.value, sizes), tuple(named))
    for one in derivation.value.variables:
        if one not in value.variables:
            raise Unemittable(f"{to_text(derivation.value)} does not depend on {one.name}: leave it out")
    variables = dict.fromkeys((derivation.by, *_in_order(derivation.value)))
    names = {one.name for one in variables} | {size_of(axis) for one in variables for axis in (*one.axes, one.into)}
    defined = {n.name for one in (value, gradient) for n in one.nodes() if isinstance(n, Definition)}
    cotangent = next(name for name in ("g", "G", "cotangent", "cotangent_") if name not in names | defined)
    everything = [*names, *defined, *([] if direction is None else [direction.name])]
    code_names = {name: f"{name}_" if name in RESERVED else name for name in everything} | {"": cotangent}
    return Emission(
        derivation, stable(value), stable(gradient), tuple(variables), direction, code_names, dict(sizes or {})
    )


def emit(derivation: Derivation, framework: str, sizes: Mapping[str, int] | None = None) -> str:
    """The text of a module.

    Args:
        derivation: what `derive` found: a gradient, or of a vector the vjp.
        framework: "torch", "jax" or "numpy".
        sizes: sizes that are given.

    Raises:
        Unemittable: the gradient was not proved, or the formula has no array form; the text says why.
        ValueError: an unknown framework.
    """
    if framework not in FRAMEWORKS:
        raise ValueError(f"unknown framework {framework!r}: choose among {', '.join(FRAMEWORKS)}")
    emission = prepared(derivation, sizes)
    code = {"torch": _torch, "jax": _jax, "numpy": _numpy}[framework](emission, FRAMEWORKS[framework])
    head = _docstring(emission, FRAMEWORKS[framework])
    return f"{head}\n{_imports(code, FRAMEWORKS[framework])}\n\n\n{_with_helpers(code, FRAMEWORKS[framework])}"


def _in_order(expression: Expression) -> list[Variable]:
    """The variables of an expression in the order in which they occur, labels last."""
    text = to_text(expression)
    found = {one.name: match.start() for one in expression.variables if (match := re.search(_word(one.name), text))}
    return sorted(expression.variables, key=lambda one: (one.kind == "label", found.get(one.name, len(text)), one.name))


def _word(name: str) -> str:
    return rf"(?<![\w]){re.escape(name)}(?![\w'])"


def _without_indices(expression: Expression, sizes: Mapping[str, int] | None) -> Expression:
    """The formula without indices that run and without derivatives, proved equal to it.

    Raises:
        Unemittable: no such form was found.
    """
    if expression.free:
        names = ", ".join(sorted(index.name for index in expression.free))
        raise Unemittable(f"the index {names} is free: write a vector over it, [{names}:K] ...")
    if not any(isinstance(node, Comprehension | Delta | Derivative) for node in expression.nodes()):
        return expression
    found = form_of(expression, (), sizes).form
    if found is None or any(isinstance(node, Comprehension | Delta | Derivative) for node in found.nodes()):
        raise Unemittable(f"{to_text(expression)} has no array form: write it with sums, @, outer, rows and cols")
    return found


# --- the parts of a module --------------------------------------------------------------------------------------------


def _docstring(emission: Emission, framework: Framework) -> str:
    derivation = emission.derivation
    kind: DerivativeKind = "gradient" if emission.direction is None else "vjp"
    decision = derivation.forms[kind].decision
    definitions = dict.fromkeys(
        node
        for one in (derivation[kind], derivation.value)
        for node in reversed(list(one.nodes()))
        if isinstance(node, Definition)
    )
    rows = [f"{to_text(derivation.value)} for {framework.name}, with its gradient by {derivation.by.name}.", ""]
    rows += [f"{INDENT}value     {to_text(derivation.value)}"]
    rows += [f"{INDENT}{kind:<10}{derivation.forms[kind].text}"]
    rows += [f"{INDENT}where     {node.name} = {to_text(node.meaning)}" for node in definitions]
    scope = scope_in_words(decision) if decision else "for all values"
    rows += ["", *textwrap.wrap(f"The {kind} was proved equal to the derivative {scope}.", 110)]
    rows += ["This code writes the two formulas down for floating point; no proof covers its rounding.", ""]
    rows += ["Shapes:"]
    rows += [f"{INDENT}{emission.names[one.name]}: {_shape(one, emission.sizes)}" for one in emission.inputs]
    rows += [f"{INDENT}value: {_axes(derivation.value.axes)}"]
    rows += ["", "Leading dimensions, ..., are a batch's and broadcast; the value has one entry or tensor for each."]
    if emission.others:
        others = ", ".join(emission.named(emission.others))
        rows += [f"{others}: taken in the dtype of {emission.names[emission.by.name]}; constants of the derivative."]
    rows += ["Written by softmax-trick derive --emit."]
    return '"""' + "\n".join(rows) + '\n"""\n'


def _axes(axes: tuple[str, ...]) -> str:
    return f"({', '.join(('...', *axes))})"


def _shape(variable: Variable, sizes: Mapping[str, int]) -> str:
    about = {"label": f", labels from 0 to {variable.into} - 1", "real": ""}.get(variable.kind, f", {variable.kind}")
    if variable.kind == "unit":
        about = ", in [0, 1]"
    elif variable.kind == "distribution":
        about = f", summing to 1 along {variable.along}"
    given = "".join(f", {size_of(axis)} = {sizes[size_of(axis)]}" for axis in variable.axes if size_of(axis) in sizes)
    return _axes(variable.axes) + about + given


def _imports(code: str, framework: Framework) -> str:
    everything = code + _with_helpers(code, framework)
    lines = [
        line for prefix, line in framework.imports.items() if re.search(rf"(?<![\w.]){re.escape(prefix)}", everything)
    ]
    return "\n".join(
        sorted(line for line in lines if line == "import math")
        + ["" for line in lines if line == "import math"]
        + [line for line in lines if line != "import math"]
    )


def _with_helpers(code: str, framework: Framework) -> str:
    """The code, with the helpers that it uses in front of it."""
    used: dict[str, str] = {}
    while True:
        everything = code + "".join(used.values())
        more = {
            n: h for n, h in framework.helpers.items() if n not in used and re.search(rf"(?<![\w.]){n}\(", everything)
        }
        if not more:
            return "\n\n".join([*used.values(), code])
        used = more | used


def _function(head: str, lines: list[str], indent: str = "") -> str:
    return "\n".join([indent + head, *(indent + INDENT + line for line in lines)]) + "\n"


def _sizes_checked(emission: Emission) -> list[str]:
    """Where sizes are given, the shapes that the proof is about."""
    lines = []
    for name, size in emission.sizes.items():
        for one in emission.inputs:
            for place, axis in enumerate(one.axes):
                if size_of(axis) == name:
                    shape = f"{emission.names[one.name]}.shape[{place - len(one.axes)}]"
                    lines += [f"if {shape} != {size}:", f'{INDENT}raise ValueError("{name} is {size} in the formula")']
    return lines


def _about(emission: Emission, what: str = "") -> str:
    return f'"""{to_text(emission.derivation.value)}{what}; see the head of this module for shapes."""'


def _backward(emission: Emission, framework: Framework) -> tuple[Body, str]:
    """The statements of a backward, and its result before it is summed over what was repeated."""
    body = emission.body(framework, emission.gradient, cotangent=True)
    code = body.full(emission.gradient)
    if emission.direction is not None:
        if emission.direction not in emission.gradient.variables:
            raise Unemittable("the derivative is 0 everywhere: there is nothing to write")
        return body, code.text
    body.lines.append(f"gradient = {code.text}")
    rank = len(emission.by.axes)
    index = f"[{', '.join(['...'] + ['None'] * rank)}]" if rank else ""
    return body, f"{emission.cotangent}{index} * gradient"


def _torch(emission: Emission, framework: Framework) -> str:
    x, rest = emission.names[emission.by.name], emission.inputs[1:]
    forward = emission.body(framework, emission.value)
    value = forward.full(emission.value).text
    backward, gradient = _backward(emission, framework)
    saved = [emission.names[one.name] for one in emission.inputs if one in backward.used]
    shape = f"{x}.shape" if x in saved else "ctx.shape"
    keep = ([] if x in saved else [f"ctx.shape = {x}.shape"]) + (
        [f"ctx.save_for_backward({', '.join(saved)})"] if saved else []
    )
    load = [f"{', '.join(saved)}{',' if len(saved) == 1 else ''} = ctx.saved_tensors"] if saved else []
    result = f"({gradient}).sum_to_size({shape})" if not gradient.isidentifier() else f"{gradient}.sum_to_size({shape})"
    nothing = ", None" * len(rest)
    lines = [
        "class Value(torch.autograd.Function):\n",
        f'{INDENT}"""The value with the proved gradient; saves inputs only, may be differentiated again."""\n',
        "\n",
        f"{INDENT}@staticmethod\n",
        _function(f"def forward(ctx, {emission.arguments}):", [*keep, *forward.lines, f"return {value}"], INDENT),
        "\n",
        f"{INDENT}@staticmethod\n",
        _function(
            f"def backward(ctx, {emission.cotangent}):", [*load, *backward.lines, f"return {result}{nothing}"], INDENT
        ),
        "\n\n",
    ]
    convert = [f"{c} = torch.as_tensor({c}, device={x}.device)" for c in emission.named(emission.labels)]
    others = emission.named(emission.others)
    convert += [f"{t} = torch.as_tensor({t}, dtype={x}.dtype, device={x}.device)" for t in others]
    if others:
        convert += [
            f"if torch.is_grad_enabled() and ({' or '.join(f'{t}.requires_grad' for t in others)}):"
            if len(others) > 1
            else f"if torch.is_grad_enabled() and {others[0]}.requires_grad:",
            f'{INDENT}raise RuntimeError("only the gradient by {x} was derived: detach {", ".join(others)}")',
        ]
    lines.append(
        _function(
            f"def value({emission.arguments}):",
            [_about(emission), *convert, *_sizes_checked(emission), f"return Value.apply({emission.arguments})"],
        )
    )
    return "".join(lines)


def _jax(emission: Emission, framework: Framework) -> str:
    x = emission.names[emission.by.name]
    forward = emission.body(framework, emission.value)
    value = forward.full(emission.value).text
    backward, gradient = _backward(emission, framework)
    # A derivative by another input was not derived: NaN, so that it is never taken for 0.
    none = [
        "None" if one.kind == "label" else f"jnp.full_like({emission.names[one.name]}, jnp.nan)"
        for one in emission.inputs[1:]
    ]
    saved = f"({emission.arguments},)" if len(emission.inputs) == 1 else f"({emission.arguments})"
    unpack = f"{emission.arguments}{',' if len(emission.inputs) == 1 else ''} = saved"
    returned = ", ".join([f"sum_to({gradient}, {x}.shape)", *none]) + ("," if not none else "")
    comment = (
        ["# Only the gradient by " + x + " was derived; another one is NaN, never a silent 0."]
        if emission.others
        else []
    )
    convert = [f"{x} = jnp.asarray({x})"]
    convert += [f"{t} = jnp.asarray({t}, {x}.dtype)" for t in emission.named(emission.others)]
    convert += [f"{c} = jnp.asarray({c})" for c in emission.named(emission.labels)]
    return (
        "@jax.custom_vjp\n"
        + _function(f"def _value({emission.arguments}):", [*forward.lines, f"return {value}"])
        + "\n\n"
        + _function(f"def _forward({emission.arguments}):", [f"return _value({emission.arguments}), {saved}"])
        + "\n\n"
        + _function(
            f"def _backward(saved, {emission.cotangent}):", [unpack, *backward.lines, *comment, f"return {returned}"]
        )
        + "\n\n_value.defvjp(_forward, _backward)\n\n\n"
        + _function(
            f"def value({emission.arguments}):",
            [_about(emission), *convert, *_sizes_checked(emission), f"return _value({emission.arguments})"],
        )
    )


def _numpy(emission: Emission, framework: Framework) -> str:
    x = emission.names[emission.by.name]
    convert = [f"{x} = np.asarray({x}) * 1.0"]
    convert += [f"{t} = np.asarray({t}, {x}.dtype)" for t in emission.named(emission.others)]
    checked = _sizes_checked(emission)
    forward = emission.body(framework, emission.value)
    value = forward.full(emission.value).text
    both = emission.body(framework, emission.value, emission.gradient, cotangent=True)
    result = both.full(emission.value).text
    both.lines.append(f"result = {result}")
    gradient = both.full(emission.gradient).text
    for label in emission.labels:
        size = next(
            (
                f"{emission.names[one.name]}.shape[{place - len(one.axes)}]"
                for one in emission.inputs
                if one.kind != "label"
                for place, axis in enumerate(one.axes)
                if size_of(axis) == size_of(label.into)
            ),
            None,
        )
        if size is None:
            raise Unemittable(f"no variable has the axis {label.into}, so that the code could not know its size")
        convert.append(f"{emission.names[label.name]} = labels({emission.names[label.name]}, {size})")
    arguments, extra = emission.arguments, ""
    if emission.direction is None:
        if set(emission.gradient.variables) != set(emission.value.variables):
            rank = len(emission.by.axes)
            shape = f"np.shape(result) + {x}.shape[-{rank}:]" if rank else "np.shape(result)"
            gradient = f"np.broadcast_to({gradient}, {shape})"
        about = " and its gradient"
    else:
        extra, about = (
            f", {emission.cotangent}",
            f" and its gradient, J^T {emission.cotangent}, for the cotangent {emission.cotangent}",
        )
        convert_both = [*convert, f"{emission.cotangent} = np.asarray({emission.cotangent}, {x}.dtype)"]
        if emission.direction not in emission.gradient.variables:
            raise Unemittable("the derivative is 0 everywhere: there is nothing to write")
    both_convert = convert if emission.direction is None else convert_both
    return (
        _function(f"def value({arguments}):", [_about(emission), *convert, *checked, *forward.lines, f"return {value}"])
        + "\n\n"
        + _function(
            f"def value_and_gradient({arguments}{extra}):",
            [_about(emission, about), *both_convert, *checked, *both.lines, f"return result, {gradient}"],
        )
    )
