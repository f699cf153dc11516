"""The small case of src/small_case.rs, and the JSON that src/golden.rs reads, for the models' tests/golden.py.

Run a model's with `python crates/<model>/tests/golden.py` (torch 2.15.0); it writes golden.json beside itself.
Everything is computed in float64 from parameters rounded to float32, and once more in float32: `float32_error` is the largest
distance of a tensor's float32 gradient from that of float64.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

FIELDS, ROWS_PER_FIELD, HISTORY_LENGTHS = 3, 4, [4, 2, 0, 1, 3]
IDS = torch.tensor([[4 * f + (b * (f + 2) + f) % 4 for f in range(FIELDS)] for b in range(5)])
# The same with several values, or none, in the last field.
LIST_LENGTHS = [1, 3, 2, 0, 1]
LISTS = [
    [[row] for row in ids[:-1]] + [[8 + (ids[-1] + k) % 4 for k in range(length)]]
    for ids, length in zip(IDS.tolist(), LIST_LENGTHS)
]
HISTORIES = [[4 + (b + 2 * place) % 4 for place in range(length)] for b, length in enumerate(HISTORY_LENGTHS)]
LABELS = torch.tensor([1.0 if b % 3 == 0 else 0.0 for b in range(5)], dtype=torch.float64)


class RoundedProduct(torch.autograd.Function):
    """`x @ weight` with its factors rounded to bfloat16, those of the backward too."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return rounded(x) @ rounded(weight)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        return rounded(grad) @ rounded(weight).T, rounded(x).T @ rounded(grad)


def rounded(x):
    return x.bfloat16().to(x.dtype)


class Parameters(dict):
    """Parameters made by the formula when first asked for; linear weights are [in, out]. `rounds`: dense layers round the
    factors of their products."""

    def __init__(self, lists=False, rounds=False, dtype=torch.float64):
        self.lists, self.rounds, self.dtype = lists, rounds, dtype

    def __call__(self, name, *shape):
        if name not in self:
            phase = sum(name.encode()) / 10
            shift = 1.0 if name.endswith("running_var") else 0.0
            values = [0.75 * math.sin(1.3 * i + phase) + shift for i in range(math.prod(shape))]
            values = torch.tensor(values, dtype=torch.float32).to(self.dtype).reshape(shape)
            self[name] = values if "running" in name else values.requires_grad_()
        return self[name]

    def embedding(self, name, dim, ids):
        table = self(name, FIELDS * ROWS_PER_FIELD, dim)
        if not self.lists:
            return F.embedding(ids, table)
        values = [torch.tensor(values, dtype=torch.long) for sample in LISTS for values in sample]
        starts = torch.tensor([0] + [len(v) for v in values[:-1]]).cumsum(0)
        return F.embedding_bag(torch.cat(values), table, starts, mode="mean").reshape(*ids.shape, dim)

    def linear(self, name, x, out, bias=True):
        product = self.product(x, self(f"{name}.weight", x.shape[-1], out))
        return product + self(f"{name}.bias", out) if bias else product

    def product(self, x, weight):
        return RoundedProduct.apply(x, weight) if self.rounds else x @ weight

    def batch_norm(self, name, x, training, affine, eps):
        features = x.shape[-1]
        scale = (self(f"{name}.weight", features), self(f"{name}.bias", features)) if affine else (None, None)
        running = self(f"{name}.running_mean", features), self(f"{name}.running_var", features)
        return F.batch_norm(x, *running, *scale, training=training, momentum=0.1, eps=eps)

    def dice(self, name, x, training):
        p = torch.sigmoid(self.batch_norm(f"{name}.dice", x, training, affine=False, eps=1e-8))
        return p * x + (1 - p) * self(f"{name}.alpha", x.shape[-1]) * x

    def prelu(self, name, x):
        return F.prelu(x, self(f"{name}.alpha", x.shape[-1]))


def run(name, model, dtype):
    """Parameters with their gradients, logits and loss, all in `dtype`."""
    torch.set_default_dtype(dtype)
    parameters = Parameters(lists=name == "lists", rounds=name.endswith("bf16"), dtype=dtype)
    logits = model(parameters)
    loss = F.binary_cross_entropy_with_logits(logits, LABELS.to(dtype))
    loss.backward()
    return parameters, logits, loss


def write(file, models):
    """`models`: name to a function of Parameters that returns the logits `[5]` of IDS and HISTORIES; of LISTS where the name
    is "lists", with rounded factors where it ends in "bf16"."""
    golden = {}
    for name, model in models.items():
        parameters, logits, loss = run(name, model, torch.float64)
        float32, _, _ = run(name, model, torch.float32)
        trained = {k: p for k, p in sorted(parameters.items()) if p.requires_grad}
        flat = lambda t: [float(f"{v:.9g}") for v in t.flatten().tolist()]
        golden[name] = {
            "logits": flat(logits),
            "loss": flat(loss),
            "gradients": {k: flat(p.grad) for k, p in trained.items()},
            "float32_error": {k: flat((float32[k].grad - p.grad).abs().max())[0] for k, p in trained.items()},
            "buffers": {k: flat(p) for k, p in sorted(parameters.items()) if not p.requires_grad},
        }
    lines = [f"{json.dumps(name)}: {json.dumps(case)}" for name, case in golden.items()]
    pathlib.Path(file).with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
