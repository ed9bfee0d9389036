"""How far a quantized model that writes is from its float original, and how fast it is."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgert_tools.evaluate import Share, wilson
from edgert_tools.generation.decoder import Decoder, FloatArray
from edgert_tools.generation.recipe import DecoderBudget
from edgert_tools.timing import Speed

STEPS, ROUNDS, PROMPT = 24, 5, 32  # of timing: tokens written, how often, after a prompt of so many


@dataclass(frozen=True)
class DecoderQuality:
    """Next-token probabilities of both models over windows of prose.

    Attributes:
        windows, places: how many windows, and tokens in them that were predicted.
        kl, kl_high: mean Kullback-Leibler divergence of int8's probabilities from float's, in nats; the mean of the
            worst window.
        agreement: share of places where both have the same most likely token.
        float_perplexity, int8_perplexity: of the prose.
    """

    windows: int
    places: int
    kl: float
    kl_high: float
    agreement: Share
    float_perplexity: float
    int8_perplexity: float

    @property
    def perplexity_rise(self) -> float:
        """How much higher int8's perplexity is, as a share."""
        return self.int8_perplexity / self.float_perplexity - 1


def compare_decoders(original: Decoder, other: Decoder, windows: Sequence[Sequence[int]]) -> DecoderQuality:
    """Let both read each window; their graphs give every token's logits."""
    divergences: list[float] = []
    losses: list[tuple[float, float]] = []
    same = places = 0
    for window in windows:
        original.forget()
        other.forget()
        first, second = log_probabilities(original.read(window)), log_probabilities(other.read(window))
        divergences.append(float((np.exp(first) * (first - second)).sum(axis=1).mean()))
        same += int((first.argmax(axis=1) == second.argmax(axis=1)).sum())
        places += len(window)
        following = np.asarray(window[1:])
        rows = np.arange(len(following))
        losses.append((-first[rows, following].mean(), -second[rows, following].mean()))
    return DecoderQuality(
        windows=len(windows),
        places=places,
        kl=statistics.fmean(divergences),
        kl_high=max(divergences),
        agreement=wilson(same, places),
        float_perplexity=math.exp(statistics.fmean(before for before, _ in losses)),
        int8_perplexity=math.exp(statistics.fmean(after for _, after in losses)),
    )


def log_probabilities(logits: FloatArray) -> npt.NDArray[np.float64]:
    """Of each row of logits."""
    values = logits.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    found: npt.NDArray[np.float64] = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    return found


def compare_writing(original: Decoder, other: Decoder, window: Sequence[int], threads: int) -> Speed:
    """Time a written token, by turns: the median of each round's steps."""
    pairs = []
    for _ in range(ROUNDS):
        before, after = (_token_s(model, window) for model in (original, other))
        pairs.append((before, after))
    return Speed(
        threads=threads,
        pairs=len(pairs),
        float_ms=1000 * statistics.median(before for before, _ in pairs),
        int8_ms=1000 * statistics.median(after for _, after in pairs),
        ratio=statistics.median(before / after for before, after in pairs),
    )


def _token_s(model: Decoder, window: Sequence[int]) -> float:
    model.forget()
    prompt = list(window[: max(1, min(PROMPT, len(window) // 2))])
    token, taken = int(model.read(prompt)[-1].argmax()), []
    for _ in range(STEPS):
        start = time.perf_counter()
        token = int(model.read([token])[-1].argmax())
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def room_for(window_tokens: int) -> int:
    """Places in a cache that judging and timing need."""
    return max(window_tokens, PROMPT) + STEPS + 1


def misses(quality: DecoderQuality, ratio: float, speed: Speed, budget: DecoderBudget) -> tuple[str, ...]:
    """What a form misses of the budget, in words."""
    found = {
        f"KL {quality.kl:.4f} > {budget.kl_max}": quality.kl > budget.kl_max,
        f"same token {quality.agreement.value:.1%} < {budget.agreement_min:.1%}": (
            quality.agreement.value < budget.agreement_min
        ),
        f"perplexity {quality.perplexity_rise:+.1%} > +{budget.perplexity_rise:.1%}": (
            quality.perplexity_rise > budget.perplexity_rise
        ),
        f"size {ratio:.1%} > {budget.size_ratio:.1%}": ratio > budget.size_ratio,
        f"{speed.ratio:.2f}x float's speed < {budget.speed_min}x": speed.ratio < budget.speed_min,
    }
    return tuple(words for words, missed in found.items() if missed)


def in_short(quality: DecoderQuality) -> str:
    """One line for a table."""
    return (
        f"KL {quality.kl:.4f}, same token {quality.agreement.value:.1%}, perplexity {quality.float_perplexity:.2f} -> "
        f"{quality.int8_perplexity:.2f} ({quality.perplexity_rise:+.2%})"
    )
