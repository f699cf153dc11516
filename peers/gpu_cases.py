"""What is compared on a GPU, the most important first: a run that is cut off keeps what it has."""

import pathlib

from cases import IN_FLOAT32, MODELS, Case, quality
from one_option import OneOption

VOCABULARY = 1_000_000
ON_CPU = "ctrbench, CPU"
PRECISIONS = ["tf32", "bf16"]
DENSE = ["adam", "adam-fused", "compiled", "compiled-graphs"]
SWEPT = [32, 128, 512, 2048, 4096]
# Of a swept size, vmap's speed is that of so many chunks, spread over all users.
SWEPT_CHUNKS = 6
# Log loss between two precisions or two orders of summation in them.
COARSE = 0.01


def cases(device, clouds, data_dir, quick):
    """All cases, in order; `clouds` is a folder for datasets and cloud models that several cases use."""
    train = lambda *arguments, **settings: training(device, *arguments, **settings)
    tune = lambda *arguments, **settings: fine_tuning(device, clouds, *arguments, **settings)
    listed = [
        tune("deepfm", 6_040, ["vmap", "vmap, prepared", "loop", ON_CPU]),
        train("deepfm", 4_096, 100, ["adam-fused", "adam", "sparse-adam", "compiled", "compiled-graphs", ON_CPU]),
        train("deepfm", 65_536, 20, ["adam-fused", "adam", "sparse-adam", "compiled"]),
        train("fm", 4_096, 200, ["adam-fused", "adam", "sparse-adam", "compiled", ON_CPU]),
        train("fm", 65_536, 20, ["adam-fused", "adam", "sparse-adam", "compiled"]),
        tune("deepfm", 6_040, [f"vmap, chunks of {chunk}" for chunk in SWEPT], work="chunks", sweep=SWEPT),
    ]
    others = [model for model in MODELS if model != "deepfm"]
    for model in others:
        listed.append(tune(model, 1_024, [ON_CPU] if quick else ["vmap", ON_CPU]))
    for model, steps in [("lr", 200), ("dcn", 50), ("din", 20)]:
        listed.append(train(model, 4_096, steps, [ON_CPU] if quick else ["sparse-adam", ON_CPU]))
    for precision in PRECISIONS:
        listed.append(train("deepfm", 4_096, 100, ["sparse-adam", IN_FLOAT32], precision=precision))
        listed.append(tune("deepfm", 6_040, ["vmap", IN_FLOAT32], precision=precision))
    if not quick:
        listed.append(tune("deepfm", 24_160, ["vmap", "vmap, prepared", "loop"]))
    for precision in PRECISIONS if data_dir else []:
        listed.append(quality("deepfm", data_dir, precision=precision, device=device))
    return listed


def named(parts, precision):
    return ", ".join(parts if precision == "float32" else [*parts, precision])


def in_precision(arguments, precision):
    return arguments if precision == "float32" else [*arguments, "--matmul", precision]


def training(device, model, batch_size, steps, variants, precision="float32"):
    arguments = ["training", model, "--vocabulary", VOCABULARY, "--steps", steps, "--batch-size", batch_size]
    # The AUC of more samples tells precisions apart.
    arguments += ["--held-out", 4_096 if precision == "float32" else 65_536, "--device", device]
    if not set(variants) & set(DENSE):
        arguments.append("--touched-only")
    name = named([model, f"{VOCABULARY // 1000} k", f"batch {batch_size}"], precision)
    settings = {"variants": variants, "precision": precision}
    return Case("training", name, in_precision(arguments, precision), "rows/s", model, settings)


def fine_tuning(device, clouds, model, users, variants, precision="float32", work="fine-tuning", sweep=()):
    arguments = ["fine-tuning", model, "--users", users, "--cloud", pathlib.Path(clouds) / f"{model}-{users}"]
    # Of many users one epoch trains the cloud as far as two do of few.
    arguments += ["--cloud-epochs", 1 if users > 10_000 else 2, "--device", device]
    if sweep:
        arguments += ["--other-chunks", ",".join(map(str, sweep))]
    settings = {"variants": variants, "precision": precision} | ({"most_rounds": 3} if sweep else {})
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
    for chunk in SWEPT if case.work == "chunks" else []:
        made[f"vmap, chunks of {chunk}"] = DeviceVmap(users, chunk, select=True, most_chunks=SWEPT_CHUNKS)
    return made
