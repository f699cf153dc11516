"""ctrbench beside itself with one option changed."""

import pathlib
import tempfile

import torch
from safetensors.torch import load_file


class OneOption:
    """The same work with another value behind `option`."""

    def __init__(self, start, case, folder, ready, option, value):
        arguments = list(case.arguments)
        arguments[arguments.index(option) + 1] = value
        self.case, self.folder, self.ready, self.option = case, pathlib.Path(folder), ready, option
        self.export = tempfile.TemporaryDirectory()
        self.ours = start(self.export.name, arguments)
        self.auc = self.ours.ready.get("auc")

    def check(self):
        """The distance of held-out loss or logits between devices; of precisions the AUC is reported instead."""
        if self.option != "--device":
            return None
        if self.case.work == "training":
            return abs(self.ours.ready["touched"]["held_out_loss"] - self.ready["touched"]["held_out_loss"])
        folders = [self.folder, pathlib.Path(self.export.name)]
        logits = [load_file(folder / "tasks.safetensors")["expected_logits"].double() for folder in folders]
        offsets = load_file(folders[0] / "tasks.safetensors")["judged_offsets"].tolist()
        distances = (logits[0] - logits[1]).abs()
        of_users = torch.stack([distances[a:b].max() for a, b in zip(offsets, offsets[1:])])
        # At a rectifier's kink rounding decides: one user in a hundred may be beyond. vmap's check looks into each such user.
        return torch.sort(of_users).values[int(0.99 * len(of_users))].item()

    def round(self):
        answer = self.ours.round()
        if self.case.measure == "auc":
            return answer["auc"]
        return answer["seconds"] / (self.ready["users"] if self.case.measure == "users/s" else 1)

    def close(self):
        self.ours.close()
        self.export.cleanup()
