"""What is compared: each case is a job of ctrbench-peer and the variants that do the same in Python."""

from dataclasses import dataclass, field

MODELS = ["lr", "fm", "deepfm", "din", "dcn"]
# Our own rate with a table that fits the cache: a step should cost what its batch touches, not what the table holds.
SMALL_TABLE = "ctrbench, 10 k"
IN_FLOAT32 = "ctrbench, float32"


@dataclass
class Case:
    """`measure` names how a round's answer becomes the figure that is reported (report.py)."""

    work: str
    name: str
    arguments: list
    measure: str
    model: str = ""
    settings: dict = field(default_factory=dict)


def cases(data_dir):
    """All cases, in order; those on MovieLens-1M only where its folder is known."""
    listed = []
    for model in MODELS:
        steps = {"lr": 600, "fm": 300, "din": 6}.get(model, 20)
        listed.append(training(model, 10_000, steps, ["adam", "adam-fused"]))
    # The row-sparse rule costs LR and DIN more than 0.001 of AUC (`quality`), so they are judged by the dense one.
    for model, steps in [("lr", 600), ("din", 6)]:
        listed.append(training(model, 10_000, steps, ["adam", "adam-fused"], every_row=True))
    for model, steps in [("fm", 150), ("deepfm", 20)]:
        listed.append(training(model, 1_000_000, steps, ["adam", "adam-fused", "sparse-adam", SMALL_TABLE]))
    # The table and its moments take 2 GB on our side; PyTorch's dense Adam would take minutes a round.
    for model, steps in [("fm", 300), ("deepfm", 20)]:
        listed.append(training(model, 10_000_000, steps, [SMALL_TABLE]))
    if data_dir:
        listed.append(Case("loading", "movielens-1m", ["loading", "--data-dir", data_dir], "s"))
    for model in MODELS:
        users = 256 if model == "din" else 1024
        listed.append(Case("fine-tuning", model, ["fine-tuning", model, "--users", users], "users/s", model))
    for model in MODELS:
        for candidates in [1, 100, 1000]:
            arguments = ["inference", model, "--candidates", candidates]
            listed.append(Case("inference", f"{model}, {candidates} candidates", arguments, "p99", model))
    for users in [6_040, 12_080]:
        arguments = ["fine-tuning", "deepfm", "--users", users]
        listed.append(Case("memory", f"deepfm, {users} users", arguments, "MiB", settings={"most_rounds": 1}))
    # scikit-learn takes minutes, once.
    metrics = ["metrics", "--predictions", 10_000_000]
    listed.append(Case("metrics", "10 million", metrics, "s", settings={"most_rounds": 3}))
    if data_dir:
        listed += [quality(model, data_dir) for model in MODELS]
        listed += [quality(model, data_dir, every_row=True) for model in ["lr", "din"]]
        # The models that have dense layers.
        listed += [quality(model, data_dir, precision="bf16") for model in ["deepfm", "din", "dcn"]]
    return listed


def quality(model, data_dir, every_row=False, precision="float32", device="cpu"):
    arguments = ["quality", model, "--epochs", 2, "--data-dir", data_dir, "--device", device, "--matmul", precision]
    name = f"{model}, movielens-1m"
    variants = ["adam-fused"] if model == "din" or every_row else ["adam-fused", "sparse-adam"]
    if every_row:
        arguments, name = [*arguments, "--every-row"], f"{name}, every row"
    if precision != "float32":
        variants, name = [variants[-1], IN_FLOAT32], f"{name}, {precision}"
    # One round is one seed.
    settings = {"most_rounds": 3, "warm_up": 0, "variants": variants, "precision": precision}
    return Case("quality", name, arguments, "auc", model, settings)


def training(model, vocabulary, steps, variants, every_row=False):
    arguments = ["training", model, "--vocabulary", vocabulary, "--steps", steps]
    name = f"{model}, {vocabulary // 1000} k"
    if every_row:
        arguments, name = [*arguments, "--every-row"], f"{name}, every row"
    return Case("training", name, arguments, "rows/s", model, {"variants": variants})


def variants(case, folder, ready, data_dir, start):
    """The other half of a case: variant name to an object with `check()` and `round()`, and the largest difference
    that `check` may give. `start` runs another job of ctrbench-peer."""
    if case.work == "training":
        from training import SmallTable, Training

        make = lambda name: SmallTable(start, case) if name == SMALL_TABLE else Training(folder, case.model, name, ready)
        return {name: make(name) for name in case.settings["variants"]}, 1e-4
    if case.work == "fine-tuning":
        from fine_tuning import Loop, Users, Vmap

        users = Users(folder, case.model, ready)
        best = Vmap.at_its_best(users)
        return {"loop": Loop(users, 64), f"vmap, chunks of {best.chunk}": best}, 1e-4
    if case.work == "quality":
        from one_option import OneOption
        from quality import Quality

        precision = case.settings["precision"]
        in_float32 = lambda: OneOption(start, case, folder, ready, "--matmul", "float32")
        make = lambda name: Quality(folder, case.model, name, ready, precision=precision)
        names = case.settings["variants"]
        return {name: in_float32() if name == IN_FLOAT32 else make(name) for name in names}, 0
    if case.work == "memory":
        return {}, 0
    if case.work == "inference":
        from inference import Inference

        return {"eager": Inference(folder, case.model)}, 1e-4
    if case.work == "metrics":
        from evaluation import Evaluation

        return {"scikit-learn": Evaluation(folder, ready)}, 1e-9
    from loading import Loading

    return {"pandas, DataLoader": Loading(folder, data_dir, ready)}, 1e-4
