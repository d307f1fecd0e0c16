"""Sinusoids that tell a place, or a distance, to a layer that has no sense of order.

Vaswani et al. 2017 (arXiv 1706.03762), §3.5; of distances: Dai et al. 2019 (1901.02860), §3.3.
"""

import math

import torch
from torch import Tensor


def sinusoids(places: Tensor, width: int) -> Tensor:
    """places [N] (negative ones are allowed) → [N, width], sines before cosines.

    >>> sinusoids(torch.tensor([0, 1]), 4).shape
    torch.Size([2, 4])
    """
    steps = torch.arange(0, width, 2, device=places.device, dtype=torch.float32)
    angles = places[:, None].float() * torch.exp(steps * (-math.log(10_000.0) / width))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
