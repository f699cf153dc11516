"""Cloud training: the same steps from the same weights, with PyTorch's optimizers."""

import copy
import pathlib
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score

from device import synchronize
from encoded import HELD_OUT, Encoded
from fine_tuning import EXCUSED, LAST_BIT, ROUNDING
from models import TABLES, Model, load_parameters

# Whose result each variant must meet: PyTorch's Adam moves every table row at every step, SparseAdam the batch's.
VARIANTS = {"adam": "all", "adam-fused": "all", "sparse-adam": "touched", "compiled": "all", "compiled-graphs": "all"}
# torch.compile of forward, loss and backward; the second replays CUDA graphs. Both with fused Adam.
COMPILED = {"compiled": None, "compiled-graphs": "reduce-overhead"}


class Training:
    """One epoch by one variant; `check` proves that it did what ctrbench did."""

    def __init__(self, folder, model, variant, ready, device="cpu", precision="float32"):
        self.folder, self.variant, self.ready = pathlib.Path(folder), variant, ready
        self.device, self.precision = device, precision
        self.data = Encoded(folder, model == "din", device)
        self.model = Model(model, self.data.item_field, sparse=variant == "sparse-adam")
        order = torch.from_numpy(np.fromfile(self.folder / "order.u32", dtype=np.uint32).astype(np.int64))
        self.order, self.parameters = order.to(device), None
        if variant in COMPILED:
            torch._dynamo.reset()
            self.loss = torch.compile(self.loss, dynamic=False, fullgraph=True, mode=COMPILED[variant])

    def start(self):
        initial = load_parameters(self.folder / "initial.safetensors", self.device)
        if self.variant in COMPILED and self.parameters:
            self.restart(initial)
        else:
            self.make(initial)

    @torch.no_grad()
    def restart(self, initial):
        """Initial values in the same memory, which is what CUDA graphs were recorded for."""
        for name, parameter in self.parameters.items():
            parameter.copy_(initial[name])
        for optimizer in self.optimizers:
            for state in optimizer.state.values():
                for value in state.values():
                    value.zero_()

    def make(self, initial):
        self.parameters = {name: torch.nn.Parameter(value) for name, value in initial.items()}
        if self.variant == "compiled-graphs":
            for parameter in self.parameters.values():
                torch._dynamo.mark_static_address(parameter)
        tables = [value for name, value in self.parameters.items() if name in TABLES]
        dense = [value for name, value in self.parameters.items() if name not in TABLES]
        rate = self.ready["learning_rate"]
        if self.variant == "sparse-adam":
            self.optimizers = [torch.optim.SparseAdam(tables, lr=rate), torch.optim.Adam(dense, lr=rate, fused=True)]
        else:
            fused = None if self.variant == "adam" else True
            self.optimizers = [torch.optim.Adam(tables + dense, lr=rate, fused=fused)]
        # PyTorch makes the moments within the first step; here it is spared that, since ours are made before the clock starts.
        for optimizer in self.optimizers:
            step = torch.tensor(0.0, device=self.device if optimizer.defaults.get("fused") else "cpu")
            step = 0 if isinstance(optimizer, torch.optim.SparseAdam) else step
            for parameter in optimizer.param_groups[0]["params"]:
                moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                optimizer.state[parameter] = {"step": copy.deepcopy(step)} | moments

    def loss(self, parameters, batch, labels):
        return F.binary_cross_entropy_with_logits(self.model(parameters, batch), labels)

    def epoch(self, order):
        """Seconds of one epoch's steps."""
        synchronize(self.device)
        started = time.perf_counter()
        for samples in order.split(self.ready["batch_size"]):
            if self.variant == "compiled-graphs":
                torch.compiler.cudagraph_mark_step_begin()
            loss = self.loss(self.parameters, self.data.batch(samples), self.data.labels[samples])
            for optimizer in self.optimizers:
                optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for optimizer in self.optimizers:
                optimizer.step()
        synchronize(self.device)
        return time.perf_counter() - started

    @torch.no_grad()
    def held_out(self):
        """Log loss and AUC of the held-out samples."""
        samples = (self.data.part == HELD_OUT["validation"]).nonzero().squeeze(1)
        labels = self.data.labels[samples]
        logits = self.model(self.parameters, self.data.batch(samples))
        auc = roc_auc_score(labels.cpu().numpy(), logits.cpu().numpy())
        return F.binary_cross_entropy_with_logits(logits, labels).item(), auc

    def check(self):
        """Difference of the held-out log loss after the epoch from ctrbench's. On a GPU, where steps are many and batches large,
        rounding may grow beyond the tolerance: then as much is allowed as the last bit of the initial weights moves this
        variant's own result."""
        self.start()
        self.epoch(self.order)
        loss, self.auc = self.held_out()
        difference = abs(loss - self.ready[VARIANTS[self.variant]]["held_out_loss"])
        if self.device != "cpu" and not difference <= ROUNDING:
            self.moved = max(abs(self.loss_of_nudged(draw) - loss) for draw in range(3))
            self.allowed = EXCUSED * self.moved
        return difference

    def loss_of_nudged(self, draw):
        """The held-out log loss when every initial weight is moved by at most its last bit."""
        self.start()
        generator = torch.Generator(self.device).manual_seed(draw)
        with torch.no_grad():
            for value in self.parameters.values():
                value.mul_(1 + LAST_BIT * (2 * torch.rand(value.shape, generator=generator, device=self.device) - 1))
        self.epoch(self.order)
        return self.held_out()[0]

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
