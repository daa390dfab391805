"""What a model must beat: token unigrams, and 5-grams by interpolated modified Kneser-Ney.

After Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1998). An n-gram
is known by a number: that of its first n - 1 tokens and its last token, looked up in a sorted array; so a
corpus of some millions of tokens needs neither a tree nor a dictionary. Knows nothing of text or torch.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def unigram(train: Ints, text: Ints, vocabulary: int) -> Floats:
    """(T,) tokens -> (T,) log-probabilities of single tokens, add-one smoothed."""
    counts = np.bincount(train, minlength=vocabulary) + 1
    found: Floats = np.log(counts[text] / counts.sum())
    return found


def kneser_ney(train: Ints, text: Ints, vocabulary: int, longest: int = 5) -> Floats:
    """(T,) tokens -> (T,) log-probabilities, each given up to `longest - 1` tokens before it."""
    number = np.zeros(len(train), np.int64)  # of the context that ends before each token of training
    known = np.zeros(len(text), np.int64)  # the same for the text; -1 where training never saw it
    orders: list[Order] = []
    contexts = []
    for _ in range(longest):
        keys = number * vocabulary + train
        order = Order(keys, vocabulary)
        orders.append(order)
        contexts.append(known)
        now = order.find(np.where(known >= 0, known * vocabulary + text, -1))
        number = np.concatenate([[0], order.find(keys)[:-1]])
        known = np.concatenate([[0], now[:-1]])
    for shorter, longer in pairwise(orders):
        shorter.count_what_continues(longer)
    probability = np.full(len(text), 1 / vocabulary)
    for order, context in zip(orders, contexts, strict=True):
        probability = order.mix(context, text, probability)
    found: Floats = np.log(probability)
    return found


class Order:
    """The n-grams of one length: `keys[i] = context * vocabulary + token`, sorted, and how often each is."""

    def __init__(self, keys: Ints, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        self.keys, self.where, self.counts = np.unique(keys, return_index=True, return_counts=True)
        self.all_keys = keys

    def count_what_continues(self, longer: Order) -> None:
        """Count in how many different contexts an n-gram came, instead of how often."""
        ends = self.find(self.all_keys[longer.where])  # the n-gram that each longer one ends with
        self.counts = np.bincount(ends, minlength=len(self.keys))

    def find(self, wanted: Ints) -> Ints:
        """Where each wanted key is among the sorted ones, -1 where it is not."""
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[at] == wanted, at, -1)

    def discounts(self) -> Floats:
        """What is taken from counts of 0, 1, 2, and 3 or more."""
        n1, n2, n3, n4 = (max(1, int((self.counts == k).sum())) for k in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        taken = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        return np.clip(taken, 0, [0, 1, 2, 3]).astype(np.float64)

    def mix(self, context: Ints, text: Ints, shorter: Floats) -> Floats:
        """(T,) contexts, tokens, and the probabilities by the shorter n-grams -> those by this order."""
        of, discounts = self.keys // self.vocabulary, self.discounts()
        total = np.bincount(of, self.counts)  # (contexts,)
        taken = np.bincount(
            of, discounts[np.minimum(self.counts, 3)]
        )  # (contexts,) is left to the shorter ones
        seen = (context >= 0) & (context < len(total))
        here = np.where(seen, context, 0)
        seen &= total[here] > 0
        gram = self.find(np.where(seen, context * self.vocabulary + text, -1))
        count = np.where(gram >= 0, self.counts[gram], 0)
        mixed = (count - discounts[np.minimum(count, 3)] + taken[here] * shorter) / np.maximum(total[here], 1)
        return np.where(seen, mixed, shorter)
