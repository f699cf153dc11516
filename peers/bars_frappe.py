"""LR or FM on Frappe by the rule of BARS, in plain PyTorch: how far seeds lie apart under that rule.

python peers/bars_frappe.py results/cache/frappe-<key> fm --seeds 20
"""

import argparse

import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss, roc_auc_score

from encoded import HELD_OUT, Encoded
from models import Model

L2 = {"lr": 1e-5, "fm": 5e-6}


def scores(model, parameters, data, part):
    """Validation or test AUC and log loss."""
    samples = (data.part == HELD_OUT[part]).nonzero().squeeze(1)
    with torch.no_grad():
        logits = torch.cat([model(parameters, data.batch(chunk)) for chunk in samples.split(8192)])
    labels = data.labels[samples].numpy()
    return roc_auc_score(labels, logits.numpy()), log_loss(labels, torch.sigmoid(logits.double()).numpy())


def train(data, name, seed):
    """Best epoch's scores: whole-table L2, gradient norm at most 10, step size cut tenfold after an epoch without gain, stop
    after the second one in a row."""
    torch.manual_seed(seed)
    rows = int(data.ids.max()) + 1
    tables = {"linear": 1} | ({"embedding": 10} if name == "fm" else {})
    parameters = {table: torch.randn(rows, width) * 1e-4 for table, width in tables.items()} | {"bias": torch.zeros(1)}
    for parameter in parameters.values():
        parameter.requires_grad_()
    model = Model(name, data.item_field)
    optimizer = torch.optim.Adam(parameters.values(), lr=1e-3)
    training = (data.part == HELD_OUT["training"]).nonzero().squeeze(1)
    best, stale = (0.0, None, 0), 0
    for epoch in range(1, 101):
        for batch in training[torch.randperm(len(training))].split(4096):
            logits = model(parameters, data.batch(batch))
            l2 = sum(parameters[table].square().sum() for table in tables)
            loss = F.binary_cross_entropy_with_logits(logits, data.labels[batch]) + L2[name] / 2 * l2
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(list(parameters.values()), 10.0)
            optimizer.step()
        auc, _ = scores(model, parameters, data, "validation")
        if auc > best[0] + 1e-6:
            best, stale = (auc, {key: value.detach().clone() for key, value in parameters.items()}, epoch), 0
            continue
        stale += 1
        for group in optimizer.param_groups:
            group["lr"] *= 0.1
        if stale == 2:
            break
    return best[2], epoch, *scores(model, best[1], data, "test")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="encoded Frappe, from ctrbench's cache")
    parser.add_argument("model", choices=sorted(L2))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    data = Encoded(arguments.folder, with_history=False)
    print("seed,best_epoch,epochs,test_auc,test_logloss", flush=True)
    for seed in range(1, arguments.seeds + 1):
        print(seed, *train(data, arguments.model, seed), sep=",", flush=True)


if __name__ == "__main__":
    main()
