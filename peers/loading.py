"""MovieLens-1M from its raw files to the end of the first epoch: pandas, then a PyTorch DataLoader."""

import pathlib
import time

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from models import Lists, Model


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
    movies["year"] = movies["title"].str.extract(r"(\d{4})(?!.*\d{4})", expand=False)
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
    inputs = Lists(
        torch.from_numpy(np.concatenate([single, genres[text]], 1)),
        torch.from_numpy(np.concatenate([np.ones(single.shape, np.float32), weights[text]], 1)),
        torch.tensor([*range(len(columns)), *[len(columns)] * genres.shape[1]]),
    )
    labels = (rows["rating"] >= 4).to_numpy(np.float32)
    return inputs, torch.from_numpy(labels), torch.from_numpy(train), offset + len(known) + 1


class Loading:
    """The script that would be written in an afternoon."""

    def __init__(self, data_dir, ready):
        self.folder, self.ready = pathlib.Path(data_dir) / "movielens-1m", ready

    def check(self):
        """By how much the numbers of rows, training rows and positives differ in sum; the epoch itself differs by initial
        values and order."""
        _, labels, train, _ = read(self.folder)
        counts = {"rows": len(labels), "training_rows": int(train.sum()), "positives": int(labels.sum())}
        return sum(abs(count - self.ready[name]) for name, count in counts.items())

    def round(self):
        started = time.perf_counter()
        inputs, labels, train, table_rows = read(self.folder)
        model = Model("deepfm", 0)
        fields = int(inputs.field_of[-1]) + 1
        shapes = {"mlp.0": (128, fields * 16), "mlp.1": (64, 128)}
        parameters = {
            "embedding": torch.randn(table_rows, 16) * 0.01,
            "linear": torch.randn(table_rows, 1) * 0.01,
            "bias": torch.zeros(1),
            "output.weight": torch.randn(1, 64) * 0.1,
        }
        for name, shape in shapes.items():
            parameters |= {f"{name}.weight": torch.randn(shape) * 0.1, f"{name}.bias": torch.zeros(shape[0])}
        parameters = {name: torch.nn.Parameter(value) for name, value in parameters.items()}
        optimizer = torch.optim.Adam(parameters.values(), lr=1e-3)
        loader = DataLoader(
            TensorDataset(inputs.ids[train], inputs.weights[train], labels[train]),
            batch_size=self.ready["batch_size"],
            shuffle=True,
        )
        for ids, weights, targets in loader:
            batch = Lists(ids, weights, inputs.field_of)
            loss = F.binary_cross_entropy_with_logits(model(parameters, (batch,)), targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - started
