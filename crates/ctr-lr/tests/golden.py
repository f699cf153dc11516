import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "ctr-model-tests"))

from golden_case import IDS, write


def lr(p):
    return p.embedding("linear", 1, IDS).sum(1)[:, 0] + p("bias", 1)


write(__file__, {"lr": lr, "lists": lr})
