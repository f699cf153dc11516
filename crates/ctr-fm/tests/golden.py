import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "ctr-model-tests"))

from itertools import combinations

from golden_case import FIELDS, IDS, write


def fm(p):
    v = p.embedding("embedding", 4, IDS)
    pairs = sum((v[:, f] * v[:, g]).sum(1) for f, g in combinations(range(FIELDS), 2))
    return p("bias", 1) + p.embedding("linear", 1, IDS).sum(1)[:, 0] + pairs


write(__file__, {"fm": fm, "lists": fm})
