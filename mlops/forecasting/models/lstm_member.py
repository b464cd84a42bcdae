"""LSTM member: 20 sessions of features to one logit per horizon."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mlops.forecasting.models.samples import IntArray, Samples
from mlops.forecasting.models.settings import MemberSettings, SequenceSettings
from mlops.forecasting.types import FloatArray

CLIPPED_AT = 5.0
INFERENCE_BATCH = 64
INFERENCE_THREADS = 1
LONGEST_HORIZON_SESSIONS = 20


class Network(nn.Module):
    """An LSTM whose last state feeds one linear head per horizon."""

    def __init__(self, width: int, hidden: int, horizons: int, dropout: float) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(width, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.Linear(hidden, horizons)

    def forward(self, windows: Tensor) -> Tensor:
        states, _ = self.recurrent(windows)
        logits: Tensor = self.heads(self.dropout(states[:, -1]))
        return logits


class LstmMember:
    """A trained network with the scaling of its features."""

    def __init__(self, network: Network, centre: FloatArray, scale: FloatArray) -> None:
        self._network = network.eval()
        self._centre = centre
        self._scale = scale

    @classmethod
    def fit(cls, samples: Samples, labels: FloatArray, settings: MemberSettings) -> Self:
        """Train a few epochs and use the one with the best loss on the last sessions."""
        centre, scale = samples.scaling()
        sequence = settings.sequence
        with _seeded(settings.seed, settings.threads):
            network = Network(samples.width, sequence.hidden, labels.shape[1], sequence.dropout)
            _start_at_base_rate(network, labels)
            member = cls(network, centre, scale)
            learn, check = split_by_date(samples.rows, sequence.validation_share)
            _train(member, samples, labels, learn=learn, check=check, settings=settings)
        network.eval()
        return member

    def logits(self, samples: Samples) -> FloatArray:
        """Shape (n, h). All batches have one padded size, so that a sample alone gives the same bits.

        torch selects kernels by batch size; with one size, a row does not depend on the others.
        """
        parts = [np.empty((0, self._network.heads.out_features))]
        with torch.inference_mode(), _threads(INFERENCE_THREADS):
            for start in range(0, len(samples), INFERENCE_BATCH):
                windows = self.scaled(samples, slice(start, start + INFERENCE_BATCH))
                full = nn.functional.pad(windows, (0, 0, 0, 0, 0, INFERENCE_BATCH - len(windows)))
                parts.append(self._network(full)[: len(windows)].numpy().astype(np.float64))
        return np.concatenate(parts)

    def scaled(self, samples: Samples, part: slice | IntArray) -> Tensor:
        """The standardised windows of a part of the samples; a missing value becomes the mean."""
        standard = (samples.windows(part) - self._centre) / self._scale
        return torch.from_numpy(np.nan_to_num(np.clip(standard, -CLIPPED_AT, CLIPPED_AT)).astype(np.float32))

    @property
    def network(self) -> Network:
        """The network itself, for training."""
        return self._network

    def save(self, folder: Path, stem: str) -> None:
        tensors = {name: tensor.contiguous() for name, tensor in self._network.state_dict().items()}
        tensors["centre"] = torch.from_numpy(self._centre)
        tensors["scale"] = torch.from_numpy(self._scale)
        save_file(tensors, folder / f"{stem}.safetensors")

    @classmethod
    def load(cls, folder: Path, stem: str) -> Self:
        tensors = load_file(folder / f"{stem}.safetensors")
        centre, scale = tensors.pop("centre").numpy(), tensors.pop("scale").numpy()
        horizons, hidden = tensors["heads.weight"].shape
        network = Network(len(centre), hidden, horizons, dropout=0.0)
        network.load_state_dict(tensors)
        return cls(network, centre, scale)


def torch_cpu_capability() -> str:
    """Return the instruction set torch uses on this machine."""
    return torch.backends.cpu.get_cpu_capability()


@contextmanager
def _seeded(seed: int, threads: int) -> Iterator[None]:
    """Give torch this seed and thread count, and put both back afterwards."""
    with _threads(threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Let torch use this many threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start_at_base_rate(network: Network, labels: FloatArray) -> None:
    known = np.isfinite(labels)
    rates = (np.nansum(labels, axis=0) + 0.5) / (known.sum(axis=0) + 1.0)
    with torch.no_grad():
        network.heads.weight.mul_(0.1)
        network.heads.bias.copy_(torch.from_numpy(np.log(rates / (1 - rates))))


def split_by_date(rows: IntArray, share: float) -> tuple[IntArray, IntArray]:
    """Positions to learn from and to stop by: the last sessions, with the longest horizon left out between them."""
    sessions = np.unique(rows)
    cut = sessions[int(len(sessions) * (1 - share))]
    return np.flatnonzero(rows < cut - LONGEST_HORIZON_SESSIONS), np.flatnonzero(rows >= cut)


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean log-loss over the labels that are known."""
    known = torch.isfinite(labels)
    each = nn.functional.binary_cross_entropy_with_logits(logits, torch.nan_to_num(labels), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def _train(
    member: LstmMember,
    samples: Samples,
    labels: FloatArray,
    *,
    learn: IntArray,
    check: IntArray,
    settings: MemberSettings,
) -> None:
    """Epochs until the loss on the `check` samples rises; the best weights are put back."""
    network, sequence = member.network, settings.sequence
    targets = torch.from_numpy(labels.astype(np.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=sequence.learning_rate, weight_decay=sequence.weight_decay)
    chance = np.random.default_rng(settings.seed)
    best, best_state = _checked(member, samples, targets, check), _copy_of(network)
    for _ in range(sequence.most_epochs):
        network.train()
        for batch in _batches(chance.permutation(learn), sequence):
            optimiser.zero_grad()
            torch.autograd.backward(_loss(network(member.scaled(samples, batch)), targets[batch]))
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
        loss = _checked(member, samples, targets, check)
        if loss >= best:
            break
        best, best_state = loss, _copy_of(network)
    network.load_state_dict(best_state)


def _batches(order: IntArray, sequence: SequenceSettings) -> Iterator[IntArray]:
    order = order[: sequence.most_rows_per_epoch]
    for start in range(0, len(order), sequence.batch):
        yield order[start : start + sequence.batch]


def _checked(member: LstmMember, samples: Samples, targets: Tensor, check: IntArray) -> float:
    member.network.eval()
    logits = torch.from_numpy(member.logits(samples.take(check)))
    return float(_loss(logits, targets[check].double()))


def _copy_of(network: Network) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
