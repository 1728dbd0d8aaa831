"""Networks of tokens and pixels with two inputs, sound and not."""

import numpy as np
import torch
from torch import nn

from tutelage.teachers.adapt import as_teacher

WORDS, CLASSES = 30, ("O", "B", "I")


class Tagger(nn.Module):
    """Answers each token after its own id and the mean of the row, over the positions that count or over all of them."""

    def __init__(self, *, masked=True, pooled=False, scale=3.0):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.embedding = nn.Embedding(WORDS, 3)
        self.embedding.weight.data = torch.randn(WORDS, 3, generator=generator)
        self.masked, self.pooled, self.scale = masked, pooled, scale

    def forward(self, input_ids, attention_mask):
        states = self.embedding(input_ids)
        weights = attention_mask[..., None].to(states.dtype) if self.masked else torch.ones_like(states[..., :1])
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return self.scale * (mean if self.pooled else states + 0.5 * mean[:, None])


def texts(rows=60, longest=9, seed=0):
    """Padded ids and their mask, rows of 1 to `longest` tokens."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, rows)
    lengths[0] = longest
    mask = (np.arange(longest) < lengths[:, None]).astype(int)
    return {"input_ids": rng.integers(1, WORDS, (rows, longest)) * mask, "attention_mask": mask}


def tagger(**settings):
    pooled = settings.get("pooled", False)
    return as_teacher(Tagger(**settings), classes=CLASSES, **({} if pooled else {"positions": "tokens"}))


def segmenter():
    network = nn.Conv2d(1, 3, 3, padding=1)
    nn.init.normal_(network.weight, std=2, generator=torch.Generator().manual_seed(0))
    nn.init.zeros_(network.bias)
    return as_teacher(network, classes=CLASSES, positions="pixels")
