"""The five models as functions of a parameter dictionary, with ctrbench's names and equations.

Linear weights are kept `[out, in]`, as torch.nn.Linear does. A batch is `(ids [B, F],)`, for DIN
`(ids [B, F], history [B, L], mask [B, L])`; `ids` are `Lists` where a field may have several values.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from device import autocast, matmul_in_bf16

TABLES = ("embedding", "linear")


class Lists(NamedTuple):
    """Look-ups `[B, S]`, their weights in the mean of their field `[B, S]`, and the field of each `[S]`."""

    ids: torch.Tensor
    weights: torch.Tensor
    field_of: torch.Tensor


def load_parameters(path, device="cpu"):
    """Parameters that ctrbench saved: tables as they are, everything else without its replica axis."""
    parameters = {}
    for name, value in load_file(path, device=str(device)).items():
        if name.startswith("request."):
            continue
        if name not in TABLES:
            value = value.squeeze(0)
            if value.dim() == 2:
                value = value.T
        parameters[name] = value.contiguous()
    return parameters


class Model:
    """A model by name; `sparse` asks for sparse gradients of the tables, `select` for look-ups by `index_select`, whose
    gradient is another kernel than that of `embedding`."""

    def __init__(self, name, item_field, sparse=False, select=False):
        self.forward = getattr(self, f"_{name}")
        self.item_field, self.sparse, self.select = item_field, sparse, select
        self.uses_history = name == "din"

    def __call__(self, parameters, batch):
        """Logits `[B]`."""
        if not matmul_in_bf16():
            return self.forward(parameters, *batch)
        with autocast(parameters["bias"].device):
            logits = self.forward(parameters, *batch)
        return logits.float()

    def _rows(self, p, table, ids):
        if isinstance(ids, Lists):
            values = self._rows(p, table, ids.ids) * ids.weights.unsqueeze(-1)
            fields = values.new_zeros(*values.shape[:-2], int(ids.field_of[-1]) + 1, values.shape[-1])
            return fields.index_add(-2, ids.field_of, values)
        if self.select:
            return p[table].index_select(0, ids.flatten()).unflatten(0, ids.shape)
        return F.embedding(ids, p[table], sparse=self.sparse)

    def _mlp(self, p, x):
        layer = 0
        while f"mlp.{layer}.weight" in p:
            x = torch.relu(F.linear(x, p[f"mlp.{layer}.weight"], p[f"mlp.{layer}.bias"]))
            layer += 1
        return x

    def _lr(self, p, ids):
        return self._rows(p, "linear", ids).sum((-2, -1)) + p["bias"]

    def _fm_terms(self, p, ids):
        embeddings = self._rows(p, "embedding", ids)
        pairs = 0.5 * (embeddings.sum(-2).square() - embeddings.square().sum(-2)).sum(-1)
        return embeddings, self._rows(p, "linear", ids).sum((-2, -1)) + pairs + p["bias"]

    def _fm(self, p, ids):
        return self._fm_terms(p, ids)[1]

    def _deepfm(self, p, ids):
        embeddings, terms = self._fm_terms(p, ids)
        return terms + F.linear(self._mlp(p, embeddings.flatten(-2)), p["output.weight"]).squeeze(-1)

    def _din(self, p, ids, history, mask):
        embeddings = self._rows(p, "embedding", ids)
        past = self._rows(p, "embedding", history)
        candidate = embeddings[..., self.item_field, :].unsqueeze(-2).expand_as(past)
        x = torch.cat([candidate, past, candidate - past, candidate * past], -1)
        layer = 0
        while f"attention.{layer}.weight" in p:
            x = F.linear(x, p[f"attention.{layer}.weight"], p[f"attention.{layer}.bias"])
            x = torch.where(x > 0, x, p[f"attention.{layer}.alpha"] * x)
            layer += 1
        scores = F.linear(x, p["attention.output.weight"], p["attention.output.bias"]).squeeze(-1) * mask
        interest = torch.matmul(scores.unsqueeze(-2), past).squeeze(-2)
        hidden = self._mlp(p, torch.cat([embeddings.flatten(-2), interest], -1))
        return F.linear(hidden, p["output.weight"]).squeeze(-1) + p["bias"]

    def _dcn(self, p, ids):
        start = cross = self._rows(p, "embedding", ids).flatten(-2)
        layer = 0
        while f"cross.{layer}.weight" in p:
            cross = start * F.linear(cross, p[f"cross.{layer}.weight"]) + p[f"cross.{layer}.bias"] + cross
            layer += 1
        both = torch.cat([cross, self._mlp(p, start)], -1)
        return F.linear(both, p["output.weight"]).squeeze(-1) + p["bias"]
