"""MovieLens-1M from its raw files to the end of the first epoch: pandas, then a PyTorch DataLoader."""

import pathlib
import time

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from encoded import HELD_OUT, Encoded
from models import TABLES, Lists, Model, load_parameters


def read(folder):
    """Inputs, labels and the mask of training rows, by ctrbench's default split and fields; genres are a list."""
    options = {"sep": "::", "engine": "c", "header": None, "encoding": "latin-1"}
    # The C engine takes one character: `::` is `:` with an empty column between, which titles with colons would break.
    ratings = pd.read_csv(folder / "ratings.dat", sep=":", header=None, usecols=[0, 2, 4, 6])
    ratings.columns = ["user", "item", "rating", "time"]
    options["engine"] = "python"
    users = pd.read_csv(folder / "users.dat", names=["user", "gender", "age", "occupation", "zip"], **options)
    movies = pd.read_csv(folder / "movies.dat", names=["item", "title", "genres"], **options)
    users["zip"] = users["zip"].str[0]
    year = movies["title"].str.extract(r"(\d{4})(?!.*\d{4})", expand=False)
    movies["year"] = year.where(year >= "1980", year.str[:3])
    rows = ratings.merge(users, on="user").merge(movies, on="item").sort_values(["user", "time"], kind="stable")
    place = rows.groupby("user").cumcount()
    size = rows.groupby("user")["user"].transform("size")
    held_out = (size * 0.2).astype(int) + (size * 0.1).astype(int)
    train = (place < size - held_out).to_numpy()
    columns, offset = [], 0
    for field in ["item", "gender", "age", "occupation", "zip", "year"]:
        known = pd.Index(rows.loc[train, field].unique())
        columns.append(known.get_indexer(rows[field]) + 1 + offset)
        offset += len(known) + 1
    texts = pd.Index(rows["genres"].unique())
    lists = texts.str.split("|")
    known = pd.Index(rows.loc[train, "genres"].drop_duplicates().str.split("|").explode().unique())
    genres = np.zeros((len(texts), max(map(len, lists))), np.int64)
    weights = np.zeros(genres.shape, np.float32)
    for row, genres_of_text in enumerate(lists):
        genres[row, : len(genres_of_text)] = known.get_indexer(genres_of_text) + 1 + offset
        weights[row, : len(genres_of_text)] = 1 / len(genres_of_text)
    text = texts.get_indexer(rows["genres"])
    single = np.stack(columns, 1)
    ones = np.ones(single.shape, np.float32)
    # As ctrbench has its fields: the genres before the year.
    inputs = Lists(
        torch.from_numpy(np.concatenate([single[:, :-1], genres[text], single[:, -1:]], 1)),
        torch.from_numpy(np.concatenate([ones[:, :-1], weights[text], ones[:, -1:]], 1)),
        torch.tensor([*range(len(columns) - 1), *[len(columns) - 1] * genres.shape[1], len(columns)]),
    )
    labels = (rows["rating"] >= 4).to_numpy(np.float32)
    return inputs, torch.from_numpy(labels), torch.from_numpy(train), offset + len(known) + 1


class Loading:
    """The script that would be written in an afternoon."""

    def __init__(self, folder, data_dir, ready):
        self.folder, self.raw, self.ready = pathlib.Path(folder), pathlib.Path(data_dir) / "movielens-1m", ready

    def check(self):
        """How far the epoch's mean loss and the held-out log loss after it are from ctrbench's, from the same weights in the same
        order. The rows and what they look up must be ctrbench's too, each value by a number of its own."""
        inputs, labels, train, table_rows = read(self.raw)
        encoded = Encoded(self.folder, with_history=False)
        if not torch.equal(labels, encoded.labels) or not torch.equal(train, encoded.part == HELD_OUT["training"]):
            raise SystemExit("loading: labels or training rows are not ctrbench's")
        ours = load_parameters(self.folder / "initial.safetensors")
        shapes = [{name: value.shape for name, value in each.items()} for each in (ours, drawn(inputs, table_rows))]
        if shapes[0] != shapes[1]:
            raise SystemExit(f"loading: parameters {shapes[1]} are not ctrbench's {shapes[0]}")
        rows = torch.from_numpy(numbers_of(inputs, encoded, table_rows))
        parameters = trainable(ours | {table: ours[table][rows] for table in TABLES})
        order = torch.from_numpy(np.fromfile(self.folder / "order.u32", dtype=np.uint32).astype(np.int64))
        samples = TensorDataset(inputs.ids[order], inputs.weights[order], labels[order])
        train_loss = self.epoch(parameters, DataLoader(samples, batch_size=self.ready["batch_size"]), inputs.field_of)
        held_out = encoded.part == HELD_OUT["validation"]
        with torch.no_grad():
            batch = Lists(inputs.ids[held_out], inputs.weights[held_out], inputs.field_of)
            logits = Model("deepfm", 0)(parameters, (batch,))
            held_out_loss = F.binary_cross_entropy_with_logits(logits, labels[held_out]).item()
        return max(abs(train_loss - self.ready["train_loss"]), abs(held_out_loss - self.ready["held_out_loss"]))

    def epoch(self, parameters, loader, field_of):
        """Mean loss of one epoch."""
        model = Model("deepfm", 0)
        optimizer = torch.optim.Adam(parameters.values(), lr=self.ready["learning_rate"])
        total = 0.0
        for ids, weights, targets in loader:
            loss = F.binary_cross_entropy_with_logits(model(parameters, (Lists(ids, weights, field_of),)), targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(targets)
        return total / len(loader.dataset)

    def round(self):
        started = time.perf_counter()
        inputs, labels, train, table_rows = read(self.raw)
        samples = TensorDataset(inputs.ids[train], inputs.weights[train], labels[train])
        loader = DataLoader(samples, batch_size=self.ready["batch_size"], shuffle=True)
        self.epoch(trainable(drawn(inputs, table_rows)), loader, inputs.field_of)
        return time.perf_counter() - started


def drawn(inputs, table_rows):
    """Initial values of DeepFM with dimension 16 and hidden layers of 128 and 64."""
    fields = int(inputs.field_of[-1]) + 1
    values = {
        "embedding": torch.randn(table_rows, 16) * 0.01,
        "linear": torch.randn(table_rows, 1) * 0.01,
        "bias": torch.zeros(1),
        "output.weight": torch.randn(1, 64) * 0.1,
    }
    for name, shape in {"mlp.0": (128, fields * 16), "mlp.1": (64, 128)}.items():
        values |= {f"{name}.weight": torch.randn(shape) * 0.1, f"{name}.bias": torch.zeros(shape[0])}
    return values


def trainable(values):
    return {name: torch.nn.Parameter(value) for name, value in values.items()}


def numbers_of(inputs, encoded, table_rows):
    """ctrbench's table row of each of ours that is looked up, 0 for the others."""
    if not torch.equal(inputs.field_of, encoded.field_of) or not torch.equal(inputs.weights, encoded.weights):
        raise SystemExit("loading: fields or numbers of values are not ctrbench's")
    used = inputs.weights > 0
    pairs = np.unique(torch.stack([inputs.ids[used], encoded.ids[used]], 1).numpy(), axis=0)
    if any(len(np.unique(numbers)) != len(pairs) for numbers in pairs.T):
        raise SystemExit("loading: a value has not one number on either side")
    rows = np.zeros(table_rows, np.int64)
    rows[pairs[:, 0]] = pairs[:, 1]
    return rows
