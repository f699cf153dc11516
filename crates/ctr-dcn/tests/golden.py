import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "ctr-model-tests"))

import torch
from golden_case import IDS, write


def dcn(p, cross, activation):
    x_0 = p.embedding("embedding", 4, IDS).flatten(1)
    x = x_0
    for i in range(3):
        x = cross(p, f"cross.{i}", x_0, x)
    deep = x_0
    for i, units in enumerate([6, 5]):
        deep = activation(p.linear(f"mlp.{i}", deep, units))
    # Never rounded.
    return torch.cat([x, deep], 1) @ p("output.weight", 17, 1)[:, 0] + p("bias", 1)


def vector(p, name, x_0, x):
    weight, bias = p(f"{name}.weight", 12, 1), p(f"{name}.bias", 12)
    # Equation 3 of 1708.05123, with the outer product written out.
    return torch.einsum("bi,bj,jk->bi", x_0, x, weight) + bias + x


def matrix(p, name, x_0, x):
    return x_0 * p.linear(name, x, 12) + x


write(
    __file__,
    {
        "vector": lambda p: dcn(p, vector, torch.sigmoid),
        "lists": lambda p: dcn(p, vector, torch.sigmoid),
        "matrix": lambda p: dcn(p, matrix, torch.tanh),
        "matrix, bf16": lambda p: dcn(p, matrix, torch.relu),
    },
)
