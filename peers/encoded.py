"""The encoded samples that ctrbench writes (docs/data.md: samples, histories, lists, values as Parquet, dataset.toml)."""

import pathlib
import tomllib

import numpy as np
import pandas as pd
import torch

from models import Lists

HELD_OUT = {"training": 0, "validation": 1, "test": 2}


class Encoded:
    """Samples as tensors: `ids` [samples, look-ups], `labels` [samples], `part` [samples], and on demand histories.

    A look-up is a field's, or one of several values of a field; then `weights` [samples, look-ups] make their mean.
    """

    def __init__(self, folder, with_history, device="cpu"):
        folder = pathlib.Path(folder)
        header = tomllib.loads((folder / "dataset.toml").read_text())
        table = pd.read_parquet(folder / "samples.parquet")
        columns = [table[f"id {i} {field['name']}"].to_numpy() for i, field in enumerate(header["fields"])]
        self._set_ids(columns, pd.read_parquet(folder / "lists.parquet"), pd.read_parquet(folder / "values.parquet")["id"])
        self.labels = torch.from_numpy(table["label"].to_numpy().astype(np.float32))
        self.part = torch.from_numpy(table["split"].to_numpy().astype(np.int64))
        self.item_field = header["item_field"]
        self.history = self.mask = None
        if with_history:
            length = header["history_length"]
            items = pd.read_parquet(folder / "histories.parquet")["item"].to_numpy().astype(np.int64)
            start, end = (table[name].to_numpy().astype(np.int64) for name in ("history_start", "history_end"))
            place = start[:, None] + np.arange(length)
            seen = place < end[:, None]
            self.history = torch.from_numpy(np.where(seen, items[np.minimum(place, len(items) - 1)], 0))
            self.mask = torch.from_numpy(seen.astype(np.float32))
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value.to(device))

    def _set_ids(self, columns, lists, values):
        ids, weights, field_of = [], [], []
        for field, column in enumerate(columns):
            own = lists[lists["field"] == field]
            if own.empty:
                own = pd.DataFrame({"start": column, "end": column + 1})
                column, values_of = np.arange(len(column)), np.arange(column.max() + 1)
            else:
                values_of = values.to_numpy()
            start, end = (own[name].to_numpy().astype(np.int64)[column] for name in ("start", "end"))
            place = start[:, None] + np.arange(max(1, (end - start).max()))
            there = place < end[:, None]
            ids.append(np.where(there, values_of[np.minimum(place, len(values_of) - 1)], 0))
            weights.append(there / np.maximum(there.sum(1, keepdims=True), 1))
            field_of += [field] * place.shape[1]
        self.ids = torch.from_numpy(np.concatenate(ids, 1).astype(np.int64))
        self.weights = torch.from_numpy(np.concatenate(weights, 1).astype(np.float32))
        self.field_of = torch.tensor(field_of) if len(field_of) > len(columns) else None

    def batch(self, samples):
        """Inputs of a forward pass for these samples: ids alone, or with histories and their mask."""
        ids = self.ids[samples]
        if self.field_of is not None:
            ids = Lists(ids, self.weights[samples], self.field_of)
        if self.history is None:
            return (ids,)
        return ids, self.history[samples], self.mask[samples]
