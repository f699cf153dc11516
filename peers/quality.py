"""How well a model ranks after equal epochs, from the same weights and batches."""

import pathlib

import torch
from sklearn.metrics import roc_auc_score

from encoded import HELD_OUT
from training import Training


class Quality:
    """Validation AUC by one of PyTorch's optimizers; a round is the seed whose weights and order ctrbench wrote last."""

    def __init__(self, folder, model, variant, ready, device="cpu", precision="float32"):
        self.folder, self.model, self.variant, self.ready = pathlib.Path(folder), model, variant, ready
        self.device, self.precision = device, precision

    def check(self):
        """Nothing: the rounds themselves compare results."""
        return 0.0

    @torch.no_grad()
    def auc(self, training):
        samples = (training.data.part == HELD_OUT["validation"]).nonzero().squeeze(1)
        logits = [training.model(training.parameters, training.data.batch(part)) for part in samples.split(8192)]
        return roc_auc_score(training.data.labels[samples].cpu().numpy(), torch.cat(logits).cpu().numpy())

    def round(self):
        training = Training(self.folder, self.model, self.variant, self.ready, self.device, self.precision)
        training.start()
        size = len(training.order) // self.ready["epochs"]
        for epoch in training.order.split(size):
            training.epoch(epoch)
        return self.auc(training)
