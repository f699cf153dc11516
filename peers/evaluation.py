"""AUC and GAUC with scikit-learn."""

import pathlib
import time

import numpy as np
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score


class Evaluation:
    """Pooled AUC of all predictions, and the mean of the users' own, weighted by their samples."""

    def __init__(self, folder, ready):
        tensors = load_file(pathlib.Path(folder) / "predictions.safetensors")
        self.logits, self.labels, self.ready = tensors["logits"], tensors["labels"], ready

    def both(self):
        pooled = roc_auc_score(self.labels, self.logits)
        size = self.ready["samples_per_user"]
        weighted = total = 0.0
        for begin in range(0, len(self.labels), size):
            labels = self.labels[begin : begin + size]
            if labels.min() != labels.max():
                weighted += len(labels) * roc_auc_score(labels, self.logits[begin : begin + size])
                total += len(labels)
        return pooled, weighted / total

    def check(self):
        started = time.perf_counter()
        both = self.both()
        self.seconds = time.perf_counter() - started
        return float(np.abs(np.subtract(both, (self.ready["auc"], self.ready["gauc"]))).max())

    def round(self):
        """The seconds of `check`, since this takes minutes."""
        return self.seconds
