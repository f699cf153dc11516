"""Cloud training: the same steps from the same weights, with PyTorch's optimizers."""

import copy
import pathlib
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F

from encoded import HELD_OUT, Encoded
from models import TABLES, Model, load_parameters

# Whose result each variant must meet: PyTorch's Adam moves every table row at every step, SparseAdam the batch's.
VARIANTS = {"adam": "all", "adam-fused": "all", "sparse-adam": "touched"}


class Training:
    """One epoch by one variant; `check` proves that it did what ctrbench did."""

    def __init__(self, folder, model, variant, ready):
        self.folder, self.variant, self.ready = pathlib.Path(folder), variant, ready
        self.data = Encoded(folder, model == "din")
        self.model = Model(model, self.data.item_field, sparse=variant == "sparse-adam")
        self.order = torch.from_numpy(np.fromfile(self.folder / "order.u32", dtype=np.uint32).astype(np.int64))

    def start(self):
        self.parameters = {
            name: torch.nn.Parameter(value) for name, value in load_parameters(self.folder / "initial.safetensors").items()
        }
        tables = [value for name, value in self.parameters.items() if name in TABLES]
        dense = [value for name, value in self.parameters.items() if name not in TABLES]
        rate = self.ready["learning_rate"]
        if self.variant == "sparse-adam":
            self.optimizers = [torch.optim.SparseAdam(tables, lr=rate), torch.optim.Adam(dense, lr=rate, fused=True)]
        else:
            fused = True if self.variant == "adam-fused" else None
            self.optimizers = [torch.optim.Adam(tables + dense, lr=rate, fused=fused)]
        # PyTorch makes the moments within the first step; here it is spared that, since ours are made before the clock starts.
        for optimizer in self.optimizers:
            step = 0 if isinstance(optimizer, torch.optim.SparseAdam) else torch.tensor(0.0)
            for parameter in optimizer.param_groups[0]["params"]:
                moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                optimizer.state[parameter] = {"step": copy.deepcopy(step)} | moments

    def epoch(self, order):
        """Seconds of one epoch's steps."""
        started = time.perf_counter()
        for samples in order.split(self.ready["batch_size"]):
            logits = self.model(self.parameters, self.data.batch(samples))
            loss = F.binary_cross_entropy_with_logits(logits, self.data.labels[samples])
            for optimizer in self.optimizers:
                optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for optimizer in self.optimizers:
                optimizer.step()
        return time.perf_counter() - started

    @torch.no_grad()
    def held_out_loss(self):
        samples = (self.data.part == HELD_OUT["validation"]).nonzero().squeeze(1)
        logits = self.model(self.parameters, self.data.batch(samples))
        return F.binary_cross_entropy_with_logits(logits, self.data.labels[samples]).item()

    def check(self):
        """Difference of the held-out log loss after the epoch from ctrbench's."""
        self.start()
        self.epoch(self.order)
        return abs(self.held_out_loss() - self.ready[VARIANTS[self.variant]]["held_out_loss"])

    def round(self):
        self.start()
        return self.epoch(self.order)


class SmallTable:
    """Our own training of as many steps with a table of 10,000 rows."""

    def __init__(self, start, case):
        arguments = list(case.arguments)
        arguments[arguments.index("--vocabulary") + 1] = 10_000
        self.export = tempfile.TemporaryDirectory()
        self.ours = start(self.export.name, arguments)

    def check(self):
        """Nothing to hold it against: it is another table, on purpose."""
        return None

    def round(self):
        return self.ours.round()["seconds"]

    def close(self):
        self.ours.close()
        self.export.cleanup()
