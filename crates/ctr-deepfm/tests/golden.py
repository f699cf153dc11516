import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "ctr-model-tests"))

from itertools import combinations

from golden_case import FIELDS, IDS, write


def deepfm(p, normalise=lambda name, x: x):
    v = p.embedding("embedding", 4, IDS)
    pairs = sum((v[:, f] * v[:, g]).sum(1) for f, g in combinations(range(FIELDS), 2))
    x = v.flatten(1)
    for i, units in enumerate([6, 5]):
        x = normalise(f"mlp.{i}.norm", p.linear(f"mlp.{i}", x, units)).relu()
    deep = p.linear("output", x, 1, bias=False)[:, 0]
    return p("bias", 1) + p.embedding("linear", 1, IDS).sum(1)[:, 0] + pairs + deep


def normalised(training):
    return lambda p: deepfm(p, lambda name, x: p.batch_norm(name, x, training, affine=True, eps=1e-5))


write(
    __file__,
    {
        "relu": deepfm,
        "lists": deepfm,
        "batch norm, training": normalised(True),
        "batch norm, inference": normalised(False),
    },
)
