"""When frames stop looking like the reference: a sequential test that tells soon and seldom errs.

Each signal is bet on. A *bet* is another spread q of its bins beside the reference's p; a frame in bin x multiplies
what each bet holds by q(x)/p(x), and before each frame a new unit is staked. While frames are drawn from p, what a bet
holds less the frames so far is a fair game (a martingale), so by optional stopping the mean number of frames until the
holdings of a signal's bets, weighed so that all weights of all signals sum up to 1, first reach A is at least A times
the number of signals. This is the Shiryaev-Roberts statistic, a sum of its kind (an e-detector: Shin, Ramdas, Rinaldo,
"E-detectors", 2022). A signal whose holdings reach A raises an alarm and begins anew, so that in the long run all of
them together raise at most one false alarm in A frames, however the signals depend on each other.

The reference is a sample of n held-out frames, and its p is off by chance. So what a bet pays is divided by an upper
bound of what it pays on average to a frame like the held-out ones (Bernstein's for the fixed bets, Cauchy and Schwarz's
for the adaptive ones); all bounds hold together with 95 % confidence, and a bet that its bound makes hopeless is left
out. Of a bin with few held-out frames or none next to nothing is known, so bets count it as more likely than it was
found to be. That makes them pay less, on average too, so nothing is promised less for it. What is assumed is that
frames are exchangeable with the held-out ones; who chooses the frames sees to that.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cloud_server.quality.reference_bins import Bins, ReferenceBins
from shared.bundle.signals import Signal

FRAMES_TO_FALSE_ALARM = 100_000
STRENGTHS = (0.35, 1.0, 3.0)
"""How far the fixed bets go, in standard deviations of a signal's ranks. Half the first is about the least to find."""
ADAPTIVE_WEIGHT = 1 / 3
ADAPTIVE_FRAMES = 100
"""The adaptive bets are on what the last frames, about so many, looked like."""
ADAPTIVE_PRIOR_FRAMES = 50
"""As many frames of the reference are mixed into that."""
LEAST_SHARE = 1e-3
"""A bin that is rarer pays as if it were so likely: no bet pays more than the reciprocal for a frame,"""
LEAST_FRAMES = 5
"""and so does one with fewer of the held-out frames than these."""
ERROR_OF_BOUNDS = 0.05
BLOCK_FRAMES = 32
"""What an adaptive bet is stays as it is for so many frames."""


class Alarm(NamedTuple):
    """A signal, by its place in the reference, raised an alarm at a frame, by its row."""

    signal: int
    row: int


class Detector:
    """The bets on all signals of one stream of frames; its memory does not grow with them.

    Args:
        frames_to_false_alarm: the mean number of frames until the first false alarm of any signal is at least this.
    """

    def __init__(self, reference: ReferenceBins, frames_to_false_alarm: float = FRAMES_TO_FALSE_ALARM) -> None:
        self._threshold = frames_to_false_alarm
        fixed = _fixed_bets(reference)
        self._adaptive = _AdaptiveBets(reference)
        self._signal_of = np.concatenate([np.arange(len(reference.signals)), fixed.signal_of])
        self._pays = np.concatenate([self._adaptive.pays, fixed.pays])
        self._weights = _weights(self._signal_of, len(reference.signals))
        self._holdings = np.zeros(len(self._pays))

    def take(self, bins: Bins) -> list[Alarm]:
        """Take in frames, the oldest first; the first alarm of each signal in each block of them."""
        alarms = []
        for start in range(0, len(bins), BLOCK_FRAMES):
            block = bins[start : start + BLOCK_FRAMES]
            alarms += [Alarm(signal, start + row) for signal, row in self._take_block(block)]
        return alarms

    def _take_block(self, bins: Bins) -> list[tuple[int, int]]:
        held: npt.NDArray[np.float64] = self._pays[np.arange(len(self._pays)), bins[:, self._signal_of]]
        before = self._holdings
        for row in range(len(held)):  # one after the other: the product of many pays may be too small for a float
            held[row] *= before + 1
            before = held[row]
        assert np.isfinite(held).all()  # no bet pays more than 1 / LEAST_SHARE, and there are few frames in a block
        is_over = held @ self._weights >= self._threshold
        self._holdings = held[-1]
        self._pays[: self._adaptive.signals] = self._adaptive.after(bins)
        over = np.flatnonzero(is_over.any(axis=0)).tolist()
        if over:
            self._holdings[np.isin(self._signal_of, over)] = 0.0
        return [(signal, int(is_over[:, signal].argmax())) for signal in over]


def _counted_shares(reference: ReferenceBins) -> npt.NDArray[np.float64]:
    """float64 (signals, bins): how likely bets take each bin to be, at least; 1 where there is no bin."""
    is_bin = np.arange(reference.shares.shape[1]) < reference.sizes[:, None]
    return np.where(is_bin, np.maximum(reference.shares, max(LEAST_SHARE, LEAST_FRAMES / reference.n)), 1.0)


class _Bets(NamedTuple):
    """What bets pay in each bin, float64 (bets, bins), and the signal of each bet, int (bets,)."""

    pays: npt.NDArray[np.float64]
    signal_of: npt.NDArray[np.intp]


def _fixed_bets(reference: ReferenceBins) -> _Bets:
    """On higher and lower values, on wider and narrower spread, each by several strengths; none on labels."""
    counted, found, signal_of = _counted_shares(reference), [], []
    for index, signal in enumerate(reference.signals):
        size = int(reference.sizes[index])
        shares = counted[index, :size] / counted[index, :size].sum()
        if signal is not Signal.LABELS and size > 1:
            for score in _scores(shares):
                found += [shares * np.exp(strength * score) for strength in STRENGTHS]
                signal_of += [index] * len(STRENGTHS)
    pays, kept = [], []
    bound = np.log(2 * max(len(found), 1) / ERROR_OF_BOUNDS)
    for spread, index in zip(found, signal_of, strict=True):
        shares = counted[index, : len(spread)]
        pay = spread / spread.sum() / shares
        pay /= 1 + _bernstein(pay, shares, bound, reference.n)
        if (spread * np.log(pay)).sum() > 0:  # it would gain if the bet were right
            pays.append(np.pad(pay, (0, reference.shares.shape[1] - len(pay)), constant_values=1.0))
            kept.append(index)
    return _Bets(np.array(pays).reshape(-1, reference.shares.shape[1]), np.array(kept, np.intp))


def _scores(shares: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Scores of the bins with mean 0 and variance 1: of rank, rising and falling; of its square, likewise."""
    rank = _standardised(shares.cumsum() - shares / 2, shares)
    scores = [rank, -rank]
    if len(shares) > 2:
        square = rank**2 - rank * (shares * rank**3).sum()  # what of the square the rank does not say
        wide = _standardised(square, shares)
        scores += [wide, -wide]
    return scores


def _standardised(values: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    centred = values - (shares * values).sum()
    standardised: npt.NDArray[np.float64] = centred / np.sqrt((shares * centred**2).sum())
    return standardised


def _bernstein(pay: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], bound: float, n: int) -> float:
    """How much a bet may pay above 1 on average, as n frames told it: with probability 1 - exp(-bound) not more."""
    variance = float((shares * (pay - 1) ** 2).sum())
    return float(np.sqrt(2 * variance * bound / n) + pay.max() * bound / (3 * n))


class _AdaptiveBets:
    """A bet for each signal, on what the frames before looked like, mixed with the reference."""

    def __init__(self, reference: ReferenceBins) -> None:
        self.signals = len(reference.signals)
        self._is_bin = np.arange(reference.shares.shape[1]) < reference.sizes[:, None]
        self._shares = reference.shares
        self._counted = _counted_shares(reference)
        self._counts = reference.shares * ADAPTIVE_FRAMES
        free = reference.sizes - 1.0
        bound = np.log(2 * max(self.signals, 1) / ERROR_OF_BOUNDS)
        # The chi-squared distance of p from a sample of n, times n, is chi-squared distributed: Laurent and Massart.
        self._distance = np.sqrt((free + 2 * np.sqrt(free * bound) + 2 * bound) / reference.n)
        self.pays = np.ones_like(self._shares)

    def after(self, bins: Bins) -> npt.NDArray[np.float64]:
        """What each bet pays in each bin of the frames that come after these, float64 (signals, bins)."""
        cells = (bins + self._counts.shape[1] * np.arange(self.signals)).ravel()
        new = np.bincount(cells, minlength=self._counts.size).reshape(self._counts.shape)
        kept = 1 - min(len(bins) / ADAPTIVE_FRAMES, 1.0)
        self._counts = self._counts * kept + new
        mixed = self._counts + self._shares * ADAPTIVE_PRIOR_FRAMES
        pays: npt.NDArray[np.float64] = mixed / mixed.sum(axis=1, keepdims=True) / self._counted
        variance = np.where(self._is_bin, self._counted * (pays - 1) ** 2, 0.0).sum(axis=1)
        pays /= (1 + self._distance * np.sqrt(variance))[:, None]
        return pays


def _weights(signal_of: npt.NDArray[np.intp], signals: int) -> npt.NDArray[np.float64]:
    """float64 (bets, signals): of each bet in its signal's sum; the adaptive ones come first, one a signal."""
    weights = np.zeros((len(signal_of), signals))
    fixed = np.bincount(signal_of, minlength=signals) - 1
    for bet, signal in enumerate(signal_of.tolist()):
        if not fixed[signal]:
            share = 1.0
        elif bet < signals:
            share = ADAPTIVE_WEIGHT
        else:
            share = (1 - ADAPTIVE_WEIGHT) / fixed[signal]
        weights[bet, signal] = share / signals
    return weights
