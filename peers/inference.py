"""One request: a user's copy scores candidates, eager and without gradients."""

import pathlib
import time

import torch
from safetensors.torch import load_file

from encoded import Encoded
from models import Model, load_parameters


# As in ctrbench-peer: untimed, after the pause before a round.
WARM_UP_REQUESTS = 50


class Inference:
    """The requests that ctrbench answered, one after the other."""

    def __init__(self, folder, model):
        path = pathlib.Path(folder) / "requests.safetensors"
        self.model = Model(model, Encoded(folder, False).item_field)
        self.parameters = load_parameters(path)
        tensors = load_file(path)
        self.requests = list(tensors["request.ids"].long())
        self.expected = tensors["request.logits"]
        self.history = ()
        if self.model.uses_history:
            history = tensors["request.history"].long().expand(self.requests[0].shape[0], -1)
            self.history = (history, torch.ones(history.shape))

    @torch.no_grad()
    def score(self, ids):
        return self.model(self.parameters, (ids, *self.history))

    def check(self):
        differences = [(self.score(ids) - logits).abs() for ids, logits in zip(self.requests, self.expected)]
        return torch.cat(differences).max().item()

    def round(self):
        """Seconds of every request."""
        for ids in self.requests[:WARM_UP_REQUESTS]:
            self.score(ids)
        seconds = []
        for ids in self.requests:
            started = time.perf_counter()
            self.score(ids)
            seconds.append(time.perf_counter() - started)
        return seconds
