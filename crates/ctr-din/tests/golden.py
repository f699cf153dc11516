import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "ctr-model-tests"))

import torch
from golden_case import HISTORIES, IDS, write

PADDED = 4


def din(p, attention_units, activation, softmax=False):
    v = p.embedding("embedding", 4, IDS)
    table = p("embedding", 12, 4)
    keys = torch.stack([torch.cat([table[h], torch.zeros(PADDED - len(h), 4)]) for h in HISTORIES])
    query = v[:, 1:2].expand_as(keys)
    x = attended(p, query.flatten(0, 1), keys.flatten(0, 1), attention_units[0])
    for i, units in enumerate(attention_units):
        x = activation(p, f"attention.{i}", p.linear(f"attention.{i}", x, units) if i > 0 else x)
    scores = p.linear("attention.output", x, 1, bias=not softmax).reshape(5, PADDED)
    interests = []
    for history, sample_keys, score in zip(HISTORIES, keys, scores):
        score = score[: len(history)]
        weights = torch.softmax(score, 0) if softmax else score
        interests.append(weights @ sample_keys[: len(history)])
    x = torch.cat([v.flatten(1), torch.stack(interests)], 1)
    for i, units in enumerate([6, 5]):
        x = activation(p, f"mlp.{i}", p.linear(f"mlp.{i}", x, units))
    return p.linear("output", x, 1, bias=False)[:, 0] + p("bias", 1)


def attended(p, query, keys, units):
    """The first layer of attention; where factors are rounded, from the sums of weights that ctrbench has (attention.rs)."""
    if not p.rounds:
        return p.linear("attention.0", torch.cat([query, keys, query - keys, query * keys], -1), units)
    of_query, of_key, of_difference, of_product = p("attention.0.weight", 16, units).split(4)
    of_item = torch.cat([of_key - of_difference, of_product])
    # Once for each sample: what rounds is the sum of its gradients.
    once = p.product(query[::PADDED], of_query + of_difference) + p("attention.0.bias", units)
    return p.product(torch.cat([keys, query * keys], -1), of_item) + once.repeat_interleave(PADDED, 0)


def prelu(p, name, x):
    return p.prelu(name, x)


def dice(training):
    return lambda p, name, x: p.dice(name, x, training)


write(
    __file__,
    {
        "prelu": lambda p: din(p, [6], prelu),
        "lists": lambda p: din(p, [6], prelu),
        "prelu, bf16": lambda p: din(p, [6], prelu),
        "prelu, two attention layers, softmax": lambda p: din(p, [6, 5], prelu, softmax=True),
        "dice, training": lambda p: din(p, [6], dice(True)),
        "dice, inference": lambda p: din(p, [6], dice(False)),
    },
)
