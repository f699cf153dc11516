"""What is compared on a GPU, the most important first: a run that is cut off keeps what it has."""

import pathlib
from dataclasses import dataclass

from cases import IN_FLOAT32, MODELS, Case, quality
from one_option import OneOption

ON_CPU = "ctrbench, CPU"
PRECISIONS = ["tf32", "bf16"]
DENSE = ["adam", "adam-fused", "compiled", "compiled-graphs"]
# Of a swept size, vmap's speed is that of so many chunks, spread over all users.
SWEPT_CHUNKS = 6
# Log loss between two precisions or two orders of summation in them.
COARSE = 0.01


@dataclass(frozen=True)
class Sizes:
    """How large the cases are."""

    vocabulary: int = 1_000_000
    batch: int = 4_096
    large_batch: int = 65_536
    users: int = 6_040
    many_users: int = 24_160
    users_of_others: int = 1_024
    swept: tuple = (32, 128, 512, 2048, 4096)
    # Samples whose AUC tells precisions apart.
    held_out: int = 65_536
    # Steps of training are divided by this, and are two at least.
    steps_divisor: int = 1


# Small enough for a CPU in a GPU's place.
REHEARSAL = Sizes(10_000, 512, 4_096, 128, 256, users_of_others=40, swept=(8, 64), held_out=4_096, steps_divisor=50)


def cases(device, clouds, data_dir, quick, sizes):
    """All cases, in order; `clouds` is a folder for datasets and cloud models that several cases use."""
    users, batch, large_batch = sizes.users, sizes.batch, sizes.large_batch
    train = lambda *arguments, **settings: training(device, sizes, *arguments, **settings)
    tune = lambda *arguments, **settings: fine_tuning(device, clouds, *arguments, **settings)
    listed = [
        tune("deepfm", users, ["vmap", "vmap, prepared", "loop", ON_CPU]),
        train("deepfm", batch, 100, ["adam-fused", "adam", "sparse-adam", "compiled", "compiled-graphs", ON_CPU]),
        train("deepfm", large_batch, 20, ["adam-fused", "adam", "sparse-adam", "compiled"]),
        train("fm", batch, 200, ["adam-fused", "adam", "sparse-adam", "compiled", ON_CPU]),
        train("fm", large_batch, 20, ["adam-fused", "adam", "sparse-adam", "compiled"]),
        tune("deepfm", users, [f"vmap, chunks of {chunk}" for chunk in sizes.swept], work="chunks", sweep=sizes.swept),
    ]
    others = [model for model in MODELS if model != "deepfm"]
    for model in others:
        listed.append(tune(model, sizes.users_of_others, [ON_CPU] if quick else ["vmap", ON_CPU]))
    for model, steps in [("lr", 200), ("dcn", 50), ("din", 20)]:
        listed.append(train(model, batch, steps, [ON_CPU] if quick else ["sparse-adam", ON_CPU]))
    for precision in PRECISIONS:
        listed.append(train("deepfm", batch, 100, ["sparse-adam", IN_FLOAT32], precision=precision))
        listed.append(tune("deepfm", users, ["vmap", IN_FLOAT32], precision=precision))
    if not quick:
        listed.append(tune("deepfm", sizes.many_users, ["vmap", "vmap, prepared", "loop"]))
    for precision in PRECISIONS if data_dir else []:
        listed.append(quality("deepfm", data_dir, precision=precision, device=device))
    return listed


def named(parts, precision):
    return ", ".join(parts if precision == "float32" else [*parts, precision])


def in_precision(arguments, precision):
    return arguments if precision == "float32" else [*arguments, "--matmul", precision]


def training(device, sizes, model, batch_size, steps, variants, precision="float32"):
    steps = max(2, steps // sizes.steps_divisor)
    arguments = ["training", model, "--vocabulary", sizes.vocabulary, "--steps", steps, "--batch-size", batch_size]
    arguments += ["--held-out", 4_096 if precision == "float32" else sizes.held_out, "--device", device]
    if not set(variants) & set(DENSE):
        arguments.append("--touched-only")
    name = named([model, f"{sizes.vocabulary // 1000} k", f"batch {batch_size}"], precision)
    settings = {"variants": variants, "precision": precision}
    return Case("training", name, in_precision(arguments, precision), "rows/s", model, settings)


def fine_tuning(device, clouds, model, users, variants, precision="float32", work="fine-tuning", sweep=()):
    arguments = ["fine-tuning", model, "--users", users, "--cloud", pathlib.Path(clouds) / f"{model}-{users}"]
    # Of many users one epoch trains the cloud as far as two do of few.
    arguments += ["--cloud-epochs", 1 if users > 10_000 else 2, "--device", device]
    if sweep:
        arguments += ["--other-chunks", ",".join(map(str, sweep))]
    settings = {"variants": variants, "precision": precision, "sweep": sweep} | ({"most_rounds": 3} if sweep else {})
    name = named([model, f"{users} users"], precision)
    return Case(work, name, in_precision(arguments, precision), "users/s", model, settings)


def variants(case, folder, ready, start, device):
    """As `cases.variants`."""
    precision, wanted = case.settings["precision"], case.settings["variants"]
    ours = {ON_CPU: ("--device", "cpu"), IN_FLOAT32: ("--matmul", "float32")}
    made = {name: OneOption(start, case, folder, ready, *ours[name]) for name in wanted if name in ours}
    theirs = [name for name in wanted if name not in ours]
    if case.work == "training":
        from training import Training

        make = lambda name: Training(folder, case.model, name, ready, device, precision)
        return {name: make(name) for name in theirs} | made, 1e-4 if precision == "float32" else COARSE
    if case.work == "quality":
        from quality import Quality

        return {name: Quality(folder, case.model, name, ready, device, precision) for name in theirs} | made, 0
    return tuned_by(theirs, case, folder, ready, device) | made, 1e-4 if precision == "float32" else float("inf")


def tuned_by(names, case, folder, ready, device):
    from device_vmap import DeviceVmap
    from fine_tuning import Loop, Users

    users = Users(folder, case.model, ready, device, case.settings["precision"])
    made = {}
    if "vmap" in names:
        chunk, select = DeviceVmap.at_its_best(users)
        label = f"vmap, chunks of {chunk}"
        made[label] = DeviceVmap(users, chunk, select)
        if "vmap, prepared" in names:
            made[f"{label}, prepared"] = DeviceVmap(users, chunk, select, prepared=True)
    if "loop" in names:
        made["loop"] = Loop(users, 64)
    for chunk in case.settings["sweep"]:
        made[f"vmap, chunks of {chunk}"] = DeviceVmap(users, chunk, select=True, most_chunks=SWEPT_CHUNKS)
    return made
