"""Per-user fine-tuning: a loop over users, and torch.func.vmap over chunks of users."""

import pathlib
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch.func import grad, vmap

from device import synchronize
from encoded import Encoded
from models import TABLES, Model, load_parameters

CHUNKS = [16, 32, 64, 128, 256]
# What float32 leaves between two orders of summation, with room.
ROUNDING = 1e-4
# The largest distance between two neighbouring float32 values, relative.
LAST_BIT = 2.0**-23
# Draws need not find the farthest that the last bit can move a result.
EXCUSED = 3.0


class Users:
    """What each user's copy sees, in order, and what ctrbench's copy answered."""

    def __init__(self, folder, model, ready, device="cpu", precision="float32"):
        folder, cloud = pathlib.Path(folder), pathlib.Path(ready["cloud"])
        self.device, self.precision, self.name = device, precision, model
        self.data = Encoded(cloud, model == "din", device)
        self.model = Model(model, self.data.item_field)
        self.cloud = load_parameters(cloud / "initial.safetensors", device)
        self.rate, self.batch_size = ready["learning_rate"], ready["batch_size"]
        tasks = load_file(folder / "tasks.safetensors")
        sizes = {name: tasks[f"{name}_offsets"].long().diff().tolist() for name in ("local", "judged")}
        self.local, self.judged = (tasks[name].long().to(device).split(sizes[name]) for name in ("local", "judged"))
        self.expected = tasks["expected_logits"].split(sizes["judged"])

    def difference(self, users, logits):
        return torch.cat([(a.cpu() - self.expected[user]).abs() for user, a in zip(users, logits)]).max().item()


class Loop:
    """A deep copy of the model, torch.optim.SGD, one user after the other."""

    def __init__(self, users, count):
        # Spread over all users, so that their sizes are those of all.
        self.users, self.chosen = users, range(0, len(users.local), max(1, len(users.local) // count))

    def one(self, user, start=None):
        parameters = {name: value.clone().requires_grad_() for name, value in (start or self.users.cloud).items()}
        optimizer = torch.optim.SGD(parameters.values(), lr=self.users.rate)
        data, model = self.users.data, self.users.model
        for samples in self.users.local[user].split(self.users.batch_size):
            loss = F.binary_cross_entropy_with_logits(model(parameters, data.batch(samples)), data.labels[samples])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            return model(parameters, data.batch(self.users.judged[user]))

    def sensitivity(self, user):
        """How far this user's logits move when every weight is nudged by at most its last bit, over 16 draws."""
        generator = torch.Generator().manual_seed(user)
        result, moved = self.one(user), 0.0
        for _ in range(16):
            draw = lambda value: torch.rand(value.shape, generator=generator).to(value.device)
            nudge = lambda value: value * (1 + LAST_BIT * (2 * draw(value) - 1))
            nudged = self.one(user, {name: nudge(value) for name, value in self.users.cloud.items()})
            moved = max(moved, (nudged - result).abs().max().item())
        return moved

    def check(self):
        return self.users.difference(self.chosen, [self.one(user) for user in self.chosen])

    def round(self):
        synchronize(self.users.device)
        started = time.perf_counter()
        for user in self.chosen:
            self.one(user)
        synchronize(self.users.device)
        return (time.perf_counter() - started) / len(self.chosen)


class Vmap:
    """vmap(grad) over a chunk of users that were sorted by their number of samples, padded and masked. Each user's copy
    holds the table rows that its samples touch."""

    def __init__(self, users, chunk):
        self.users, self.chunk = users, chunk
        self.order = sorted(range(len(users.local)), key=lambda user: (-len(users.local[user]), user))

        def loss(parameters, batch, labels, weights):
            logits = users.model(parameters, batch)
            return (weights * F.binary_cross_entropy_with_logits(logits, labels, reduction="none")).sum()

        self.gradients = vmap(grad(loss))
        self.forward = vmap(users.model)

    def chunks(self):
        return [self.order[begin : begin + self.chunk] for begin in range(0, len(self.order), self.chunk)]

    def rows_of(self, users):
        """Touched rows `[users, rows]`, and a map from id to row `[users, ids]`."""
        data = self.users.data
        touched = []
        for user in users:
            samples = torch.cat([self.users.local[user], self.users.judged[user]])
            ids = [data.ids[samples].flatten()]
            if data.history is not None:
                ids.append(data.history[samples].flatten())
            touched.append(torch.cat(ids).unique())
        rows = torch.zeros(len(users), max(map(len, touched)), dtype=torch.long)
        table_rows = next(self.users.cloud[name] for name in TABLES if name in self.users.cloud).shape[0]
        row_of = torch.zeros(len(users), table_rows, dtype=torch.long)
        for position, ids in enumerate(touched):
            rows[position, : len(ids)] = ids
            row_of[position, ids] = torch.arange(len(ids))
        return rows, row_of

    def inputs(self, samples_of_users, row_of):
        """The users' samples padded to the longest, ids as rows of the users' own tables; and which are real."""
        longest = max(map(len, samples_of_users))
        samples = torch.zeros(len(samples_of_users), longest, dtype=torch.long)
        real = torch.zeros(len(samples_of_users), longest)
        for position, own in enumerate(samples_of_users):
            samples[position, : len(own)] = own
            real[position, : len(own)] = 1.0
        local = lambda ids: row_of.gather(1, ids.flatten(1)).reshape(ids.shape)
        ids, *history = self.users.data.batch(samples)
        batch = (local(ids), local(history[0]), history[1]) if history else (local(ids),)
        return batch, self.users.data.labels[samples], real

    def tune(self, users):
        rows, row_of = self.rows_of(users)
        parameters = {
            name: value[rows] if name in TABLES else value.expand(len(users), *value.shape).clone()
            for name, value in self.users.cloud.items()
        }
        batch, labels, real = self.inputs([self.users.local[user] for user in users], row_of)
        size = self.users.batch_size
        for begin in range(0, labels.shape[1], size):
            cut = lambda t: t[:, begin : begin + size]
            own = cut(real)
            weights = own / own.sum(1, keepdim=True).clamp(min=1)
            step = self.gradients(parameters, tuple(map(cut, batch)), cut(labels), weights)
            for name, value in parameters.items():
                value.sub_(step[name], alpha=self.users.rate)
        batch, _, _ = self.inputs([self.users.judged[user] for user in users], row_of)
        with torch.no_grad():
            logits = self.forward(parameters, batch)
        return [row[: len(self.users.judged[user])] for row, user in zip(logits, users)]

    def check(self):
        """The largest difference of a logit from ours. At a rectifier's kink rounding decides between two results: a user
        beyond rounding is excused if the last bit of the weights moves the loop's own result as far, but not more than one
        user in a hundred is."""
        loop = Loop(self.users, 1)
        differences, self.excused = [], []
        for users in self.chunks():
            for user, logits in zip(users, self.tune(users)):
                difference = self.users.difference([user], [logits])
                if not difference <= ROUNDING:
                    moved = loop.sensitivity(user)
                    text = f"user {user}: vmap differs by {difference:.1e}, the last bit of the weights moves the loop by {moved:.1e}"
                    print(text, file=sys.stderr)
                    if difference <= EXCUSED * moved:
                        self.excused.append(difference)
                        continue
                differences.append(difference)
        if len(self.excused) > 0.01 * len(self.order):
            sys.exit(f"{len(self.excused)} of {len(self.order)} users differ by more than rounding")
        return torch.tensor(differences).max().item()

    def round(self):
        started = time.perf_counter()
        for users in self.chunks():
            self.tune(users)
        return (time.perf_counter() - started) / len(self.order)

    @staticmethod
    def at_its_best(users):
        """The chunk size that is fastest in the median of three rounds, taken in turn."""
        trials = [Vmap(users, chunk) for chunk in CHUNKS]
        for trial in trials:
            trial.tune(trial.order[: trial.chunk])
        seconds = [[trial.round() for trial in trials] for _ in range(3)]
        medians = [statistics.median(of_trial) for of_trial in zip(*seconds)]
        return trials[medians.index(min(medians))]
