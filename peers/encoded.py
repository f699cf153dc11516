"""The encoded samples that ctrbench writes (docs/data.md: samples.parquet, histories.parquet, dataset.toml)."""

import pathlib
import tomllib

import numpy as np
import pandas as pd
import torch

HELD_OUT = {"training": 0, "validation": 1, "test": 2}


class Encoded:
    """Samples as tensors: `ids` [samples, fields], `labels` [samples], `part` [samples], and on demand histories."""

    def __init__(self, folder, with_history):
        folder = pathlib.Path(folder)
        header = tomllib.loads((folder / "dataset.toml").read_text())
        table = pd.read_parquet(folder / "samples.parquet")
        columns = [f"id {i} {field['name']}" for i, field in enumerate(header["fields"])]
        self.ids = torch.from_numpy(table[columns].to_numpy().astype(np.int64))
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

    def batch(self, samples):
        """Inputs of a forward pass for these samples: ids alone, or with histories and their mask."""
        if self.history is None:
            return (self.ids[samples],)
        return self.ids[samples], self.history[samples], self.mask[samples]
