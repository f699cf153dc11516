"""What differs between devices: waiting for one, and the precision of its matrix products."""

import torch


def synchronize(device):
    """Waits until the device has done what it was asked; the CPU always has."""
    if str(device) != "cpu":
        torch.cuda.synchronize()


# Of the case at hand.
PRECISION = "float32"


def set_matmul_precision(precision):
    """float32, PyTorch's default; tf32, its switch; or bf16, for which models run under `autocast`."""
    global PRECISION
    PRECISION = precision
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"


def matmul_in_bf16():
    """Whether models run under `autocast`."""
    return PRECISION == "bf16"


def autocast(device):
    """PyTorch's context for bf16, for forward passes only, as its documentation advises: layers give bfloat16, ours float32.
    Without its cache, since weights change between passes."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, cache_enabled=False)


def gpu(device):
    """The card, as PyTorch sees it."""
    properties = torch.cuda.get_device_properties(device)
    return {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "cuda": torch.version.cuda,
    }
