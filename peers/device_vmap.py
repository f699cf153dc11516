"""torch.func.vmap over chunks of users with everything on the device: no Python loop over users."""

import bisect
import statistics
import time

import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch.func import grad, vmap

from device import synchronize
from fine_tuning import Vmap
from models import TABLES, Model

CHUNKS = [64, 128, 256, 512, 1024, 2048, 4096]
# Chunks of a trial; more would not change which size is best.
TRIAL_CHUNKS = 8


class DeviceVmap(Vmap):
    """Vmap whose chunks are made on the device. `select` is the kind of look-up, `prepared` makes the chunks before the
    clock starts, `most_chunks` takes that many chunks, spread over all."""

    def __init__(self, users, chunk, select=False, prepared=False, most_chunks=None):
        super().__init__(users, chunk)
        self.prepared, self.most_chunks, self.select, self.kept = prepared, most_chunks, select, None
        flat = lambda parts: (torch.cat(parts), torch.tensor([len(part) for part in parts], device=users.device))
        self.samples = {"local": flat(users.local), "judged": flat(users.judged)}
        self.table_rows = next(users.cloud[name] for name in TABLES if name in users.cloud).shape[0]
        model = Model(users.name, users.data.item_field, select=select)

        def loss(parameters, batch, labels, weights):
            logits = model(parameters, batch)
            return (weights * F.binary_cross_entropy_with_logits(logits, labels, reduction="none")).sum()

        def forward(parameters, batch):
            return model(parameters, batch)

        self.gradients, self.forward = vmap(grad(loss)), vmap(forward)

    def chunks(self):
        chunks = super().chunks()
        step = -(-len(chunks) // (self.most_chunks or len(chunks)))
        return chunks[step // 2 :: step]

    def padded(self, kind, users):
        """The users' samples `[users, longest]`, filled up with each user's last one, and which are real."""
        flat, lengths = self.samples[kind]
        ends = lengths.cumsum(0)
        longest = max(len(getattr(self.users, kind)[user]) for user in users)
        users = torch.tensor(users, device=flat.device)
        own, place = lengths[users].unsqueeze(1), torch.arange(longest, device=flat.device)
        begin = (ends[users] - lengths[users]).unsqueeze(1)
        return flat[begin + torch.minimum(place, own - 1)], (place < own).float()

    def own_rows(self, tables_read):
        """Ids `[users, ...]` as rows of the users' own tables, and these tables' rows `[users, rows]`."""
        count = tables_read.shape[0]
        user = torch.arange(count, device=tables_read.device)
        keys, inverse = (tables_read + self.table_rows * user.unsqueeze(1)).unique(return_inverse=True)
        owner = keys // self.table_rows
        first = torch.searchsorted(owner, user)
        place = torch.arange(len(keys), device=keys.device) - first[owner]
        rows = keys.new_zeros(count, int(place.max()) + 1)
        rows[owner, place] = keys % self.table_rows
        return inverse - first.unsqueeze(1), rows

    def prepare(self, users):
        """All that a chunk's steps read: table rows, local batches with labels and weights, judged batch."""
        (local, real), (judged, _) = (self.padded(kind, users) for kind in ("local", "judged"))
        data, size, cut = self.users.data, self.users.batch_size, local.shape[1]
        samples = torch.cat([local, judged], 1)
        ids, *history = data.batch(samples)
        tables_read = torch.cat([ids.flatten(1), *(items.flatten(1) for items in history[:1])], 1)
        own, rows = self.own_rows(tables_read)
        parts = own.split([ids[0].numel(), own.shape[1] - ids[0].numel()], 1)
        batch = [part.reshape(of.shape) for part, of in zip(parts, [ids, *history[:1]])] + history[1:]
        labels, steps = data.labels[local], []
        for begin in range(0, cut, size):
            # Users are sorted by their number of samples: those that have some left are the first.
            active = bisect.bisect_left(users, -begin, key=lambda user: -len(self.users.local[user]))
            take = lambda tensor: tensor[:active, begin : min(begin + size, cut)]
            weights = take(real)
            weights = weights / weights.sum(1, keepdim=True)
            steps.append((active, tuple(map(take, batch)), take(labels), weights))
        return rows, steps, tuple(part[:, cut:] for part in batch)

    def logits(self, inputs):
        """The chunk's fine-tuned answers `[users, longest]`."""
        rows, steps, judged = inputs
        parameters = {
            name: value[rows] if name in TABLES else value.expand(len(rows), *value.shape).clone()
            for name, value in self.users.cloud.items()
        }
        for active, batch, labels, weights in steps:
            own = {name: value[:active] for name, value in parameters.items()}
            step = self.gradients(own, batch, labels, weights)
            torch._foreach_add_(list(own.values()), [step[name] for name in own], alpha=-self.users.rate)
        with torch.no_grad():
            return self.forward(parameters, judged)

    def tune(self, users):
        rows = self.logits(self.prepare(users)).cpu()
        return [row[: len(self.users.judged[user])] for row, user in zip(rows, users)]

    def check(self):
        if self.prepared:
            self.kept = [self.prepare(users) for users in self.chunks()]
        if self.users.precision == "float32":
            return super().check()
        # Rounding of this size cannot be told from other work: the AUC of both is reported.
        logits = {user: row for users in self.chunks() for user, row in zip(users, self.tune(users))}
        judged = torch.cat([self.users.judged[user] for user in logits])
        labels = self.users.data.labels[judged].cpu()
        self.auc = roc_auc_score(labels.numpy(), torch.cat(list(logits.values())).numpy())
        return self.users.difference(logits.keys(), logits.values())

    def round(self):
        """Seconds a user, until all answers are on the host."""
        chunks = self.chunks()
        synchronize(self.users.device)
        started = time.perf_counter()
        inputs = self.kept or map(self.prepare, chunks)
        answers = [self.logits(of_chunk) for of_chunk in inputs]
        for answer in answers:
            answer.cpu()
        return (time.perf_counter() - started) / sum(map(len, chunks))

    @staticmethod
    def at_its_best(users):
        """Chunk size and kind of look-up that are fastest in the median of three rounds over a few chunks each. Sizes that
        run out of memory are left out, and after the first round those that take twice the best one's time."""
        seconds = {}
        for chunk in (chunk for chunk in CHUNKS if chunk <= 2 * len(users.local)):
            for select in (False, True):
                trial = DeviceVmap(users, chunk, select, most_chunks=TRIAL_CHUNKS)
                try:
                    trial.logits(trial.prepare(trial.order[:chunk]))
                    seconds[trial] = [trial.round()]
                except torch.OutOfMemoryError:
                    torch.cuda.empty_cache()
        first = min(seconds.values())[0]
        for trial, of_trial in seconds.items():
            if of_trial[0] <= 2 * first:
                of_trial += [trial.round() for _ in range(2)]
        medians = {trial: statistics.median(of_trial) for trial, of_trial in seconds.items() if len(of_trial) == 3}
        best = min(medians, key=medians.get)
        return best.chunk, best.select
