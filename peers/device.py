"""What differs between devices: waiting for one, and the precision of its matrix products."""

import torch


def synchronize(device):
    """Waits until the device has done what it was asked; the CPU always has."""
    if str(device) != "cpu":
        torch.cuda.synchronize()


def allow_tf32(precision):
    """PyTorch's own default is float32."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"


def gpu(device):
    """The card, as PyTorch sees it."""
    properties = torch.cuda.get_device_properties(device)
    return {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "cuda": torch.version.cuda,
    }
