"""What differs between devices: waiting for one, and the precision of its matrix products."""

import torch


def synchronize(device):
    """Waits until the device has done what it was asked; the CPU always has."""
    if str(device) != "cpu":
        torch.cuda.synchronize()


def set_matmul_precision(precision, device):
    """float32, PyTorch's default; tf32, its switch; or bf16, which is its autocast: layers give bfloat16, ours float32."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    kind = torch.device(device).type
    torch.set_autocast_dtype(kind, torch.bfloat16)
    torch.set_autocast_enabled(kind, precision == "bf16")
    # What it keeps of a parameter is thrown away where its context ends, and there is none.
    torch.set_autocast_cache_enabled(False)


def gpu(device):
    """The card, as PyTorch sees it."""
    properties = torch.cuda.get_device_properties(device)
    return {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "cuda": torch.version.cuda,
    }
