#!/usr/bin/env python3
"""make_pins.py - writes the files of this folder: small networks, and what PyTorch computes for them in double.

    /usr/bin/python3 make_pins.py [NAME ...]      (needs torch; without a name: every file)

README.md describes the format. Inputs and parameters follow a formula whose values floats hold exactly. A function
cases_NAME() of one of the pins_*.py beside this file yields the cases of NAME.txt.
"""
import importlib
import os
import sys

import numpy
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ["pins_windows", "pins_layers", "pins_training"]
MOST_VALUES = 40  # a longer tensor is stored as sums
N_SUMS = 16
torch.set_default_dtype(torch.float64)


def unit(n, seed):
    """n values in [-1, 1), multiples of 2^-15: pin_unit() in pin_file.c."""
    with numpy.errstate(over="ignore"):
        u = numpy.arange(n, dtype=numpy.uint32) * numpy.uint32(2654435761)
        u += numpy.uint32(seed * 2246822519 % 2**32)
        u = (u ^ (u >> numpy.uint32(15))) * numpy.uint32(2246822519)
        u = (u ^ (u >> numpy.uint32(13))) * numpy.uint32(3266489917)
        u = u ^ (u >> numpy.uint32(16))
    return ((u >> numpy.uint32(16)).astype(numpy.float64) - 32768) / 32768


def tensor(shape, seed, scale=1.0, offset=0.0):
    n = int(numpy.prod(shape))
    values = numpy.float32(offset + scale * unit(n, seed)).astype(numpy.float64)
    return torch.from_numpy(values).reshape(shape).clone()


def labels(images, classes):
    return torch.tensor([(i * 7 + 3) % classes for i in range(images)])


class Case:
    """One model. `text`: its lines. `inputs` and `parameters`: name -> (shape, scale[, offset]). `forward(x, p)`
    computes what the layer `output` puts out in training; `predict`, where it differs, what it puts out in
    inference, or False. With `loss`, forward computes the loss of every image. `grads` names what is compared."""

    def __init__(self, title, text, output, inputs, parameters, forward, images=2, predict=None, classes=0,
                 loss=False, grads=None):
        self.title, self.text, self.output, self.forward = title, text.strip().split("\n"), output, forward
        self.inputs = inputs if isinstance(inputs, dict) else {"input": inputs}
        self.parameters, self.images, self.predict = parameters, images, predict
        self.classes, self.loss, self.grads = classes, loss, grads


def shape_text(shape):
    return "x".join(str(d) for d in shape) if len(shape) else "1"


def numbers(values):
    words = ["0" if v == 0 else "%.9g" % v for v in values]
    lines, line = [], ""
    for w in words:
        if line and len(line) + len(w) + 1 > 108:
            lines.append(line)
            line = ""
        line += (" " if line else "") + w
    return lines + [line]


def store(kind, name, value):
    flat = value.detach().reshape(-1).numpy()
    if len(flat) <= MOST_VALUES or kind == "predict":
        return ["%s %s" % (kind, name)] + numbers(flat)
    weighted = flat * unit(len(flat), 777)
    return ["%s %s sums" % (kind, name)] + numbers([weighted[k::N_SUMS].sum() for k in range(N_SUMS)])


def given(word, name, shape, seed, spec):
    scale, offset = spec[0], spec[1] if len(spec) > 1 else 0.0
    return "%s %s %s %d %.9g %.9g" % (word, name, shape_text(shape), seed, scale, offset)


def write_case(case):
    lines = ["", "case " + case.title] + ["text " + t for t in case.text] + ["images %d" % case.images]
    if case.classes:
        lines.append("classes %d" % case.classes)
    seed, values = 1, {}
    for word, group in (("input", case.inputs), ("parameter", case.parameters)):
        for name, (shape, *spec) in group.items():
            lines.append(given(word, name, shape, seed, spec))
            whole = ([case.images] if word == "input" else []) + list(shape)
            values[name] = tensor(whole, seed, *spec).requires_grad_()
            seed += 1
    x = [values[name] for name in case.inputs]
    p = {name: values[name] for name in case.parameters}
    y = case.forward(*x, p)
    if case.loss:
        y.sum().backward()
        lines += store("loss", "loss", y)
    else:
        flat = y.reshape(-1)
        if flat.requires_grad:
            (flat * torch.from_numpy(unit(len(flat), 99))).sum().backward()
        lines += store("output", case.output, y)
    for name in case.grads if case.grads is not None else values:
        if values[name].grad is not None:
            lines += store("gradient", name, values[name].grad)
    if case.predict is not False and not case.loss:
        with torch.no_grad():
            z = (case.predict or case.forward)(*x, p)
        if 2 <= z[0].numel() <= 256 and z.numel() <= 150:
            lines += store("predict", case.output, z)
    return lines


def write_training(case):
    """A training run: see pins_training.py."""
    lines = ["", "case " + case.title] + ["text " + t for t in case.text]
    lines += ["images %d" % case.images, "classes %d" % case.classes, "pixels %d" % case.pixels,
              "training " + case.training]
    for k, (name, (shape, *spec)) in enumerate(case.parameters.items()):
        lines.append(given("parameter", name, shape, k + 1, spec))
    for name, value in case.run().items():
        lines += store("after", name, value)
    return lines


def main(wanted):
    sys.path.insert(0, HERE)
    sys.dont_write_bytecode = True
    sys.modules["make_pins"] = sys.modules["__main__"]
    for module in (importlib.import_module(m) for m in MODULES):
        for function in [f for f in dir(module) if f.startswith("cases_")]:
            name = function[len("cases_"):]
            if wanted and name not in wanted:
                continue
            tolerance = getattr(module, "TOLERANCE", {}).get(name, 2e-6)
            lines = ["# Written by make_pins.py with torch %s in double." % torch.__version__,
                     "tolerance %g" % tolerance]
            for case in getattr(module, function)():
                lines += write_case(case) if isinstance(case, Case) else write_training(case)
            with open(os.path.join(HERE, name + ".txt"), "w") as out:
                out.write("\n".join(lines) + "\n")
            print("%s.txt: %d bytes" % (name, sum(len(l) + 1 for l in lines)))


if __name__ == "__main__":
    main(sys.argv[1:])
