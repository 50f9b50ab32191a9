"""Random streams that depend on what they are for and on nothing else, so that no neighbor can change a result."""

import hashlib

import torch


def seeded(*parts: object) -> torch.Generator:
    """A random stream that depends on nothing but the given parts (purpose, seed, problem id, restart, ...)."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
