"""Sums that do not depend on who adds what to what first: bit for bit the same however the terms are divided.

Floating-point addition is not associative because it rounds. So the terms are rounded first, all to multiples of one
power of two that is coarse enough for every partial sum to be exact (Rump, Ogita & Oishi 2008; Demmel & Nguyen 2015).
With J terms of magnitude below 2^e, and L = max(1, ceil(log2 J)):

    sigma = 1.5 * 2^(e + L),   q = (sigma + x) - sigma,   |x - q| <= 2^(e + L - 53),   sum q exact in any order

A second fold does the same with what the first one left, x - q < 2^(e + L - 52). So a sum is off by less than
J^2 * 2^-51 of its greatest term, with two folds by less than J^3 * 2^-102 of it (and the rounding of the result).

Terms that are not finite, or beyond 2^900, make their element NaN. Below 2^-900 bounds are those of 2^-900.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chorus.learner.group.group import Group

LEAST, GREATEST = -900, 900
"""Exponents that are kept; what is smaller is rounded as if it were 2^-900."""
NOT_FINITE = 1 << 20
"""The exponent of an element that has no sum."""
MANTISSA, BIAS = 52, 1023
"""How a float64 is made: bits of its mantissa, and what its exponent is written with."""
SHORT = 1 << 10
"""Columns no longer are looked at and added with all their terms at once."""
BLOCK = 1 << 16
"""Elements that are worked on at a time: what they need fits a core's cache."""
SEVERAL = 1 << 18
"""Columns no longer are added by one thread: handing blocks to others takes as long as adding so many elements."""

Work = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, eq=False)
class Column:
    """Numbers that every task has, to be added up element by element.

    Attributes:
        terms: float32 or float64 `[length]` each, those of this process's tasks; a task may have none.
        length: of each.
        folds: 1, or 2 for numbers that need all of float64.
    """

    terms: Sequence[Tensor]
    length: int
    folds: int = 1


def add_up(columns: Sequence[Column], tasks: int, group: Group, device: torch.device, work: Work = map) -> list[Tensor]:
    """What each column adds up to over the processes of a group, float64 `[length]`; two calls to the group.

    Args:
        columns: in an order and of lengths and folds that are the same in every process.
        tasks: how many terms an element can have in all processes together; the same in every one.
        group: the processes.
        device: where the terms are.
        work: what adds blocks of elements side by side.
    """
    spread = _spread(tasks)
    if max((column.length for column in columns), default=0) <= SEVERAL:
        work = map
    lengths = [column.length for column in columns]
    greatest = group.largest(torch.cat([exponents_of(column, device, work) for column in columns]))
    exponents = torch.split(greatest, lengths)
    sums = [folded(column, exponent, spread, work) for column, exponent in zip(columns, exponents, strict=True)]
    total = group.total(torch.cat([part.reshape(-1) for part in sums]))
    parts = torch.split(total, [part.numel() for part in sums])
    return [
        part if column.folds == 1 else part.reshape(column.folds, column.length).sum(dim=0)
        for part, column in zip(parts, columns, strict=True)
    ]


def exponents_of(column: Column, device: torch.device, work: Work = map) -> Tensor:
    """int32 `[length]`: the least e with |x| < 2^e for all terms here; `LEAST` where there are none."""
    if not column.terms:
        return torch.full((column.length,), LEAST, dtype=torch.int32, device=device)
    exponents = torch.empty(column.length, dtype=torch.int32, device=device)

    def find(begin: int) -> None:
        block = slice(begin, begin + BLOCK)
        if column.length <= SHORT:
            largest = torch.stack(list(column.terms)).abs().amax(dim=0)
        else:
            largest = column.terms[0][block].abs()
            size = torch.empty_like(largest)
            for term in column.terms[1:]:
                torch.maximum(largest, torch.abs(term[block], out=size), out=largest)
        biased = largest.double().view(torch.int64)
        biased >>= MANTISSA
        found = exponents[block].copy_(biased)  # the sign is 0: it is a magnitude
        found -= BIAS - 1
        if int(found.max()) > GREATEST:
            found.masked_fill_(found > GREATEST, NOT_FINITE)
        found.clamp_(min=LEAST)

    for _ in work(find, range(0, column.length, BLOCK)):
        pass
    return exponents


def folded(column: Column, exponents: Tensor, spread: int, work: Work = map) -> Tensor:
    """float64 `[folds, length]`: the sums of the rounded terms here, which may be added to those of others.

    Args:
        column: the terms.
        exponents: int32 `[length]`, over all processes.
        spread: L.
        work: what adds blocks of elements side by side.
    """
    sums = torch.zeros(column.folds, column.length, dtype=torch.float64, device=exponents.device)

    def add(begin: int) -> None:
        block = slice(begin, begin + BLOCK)
        sigmas = [_sigma(exponents[block], fold, spread) for fold in range(column.folds)]
        rest = torch.empty_like(sigmas[0])
        last = sums[-1, block]
        for term in column.terms:
            rest.copy_(term[block])
            for total, sigma in zip(sums[:-1, block], sigmas[:-1], strict=True):
                rounded = rest + sigma
                rounded -= sigma
                total += rounded
                rest -= rounded
            rest += sigmas[-1]
            rest -= sigmas[-1]
            last += rest
        if not column.terms:  # NaN all the same
            last += sigmas[-1] - sigmas[-1]

    if column.length <= SHORT and column.terms:  # all terms at once
        rest = torch.stack(list(column.terms)).double()
        for fold in range(column.folds):
            sigma = _sigma(exponents, fold, spread)
            rounded = rest + sigma
            rounded -= sigma
            sums[fold] = rounded.sum(dim=0)
            rest -= rounded
        return sums
    for _ in work(add, range(0, column.length, BLOCK)):
        pass
    return sums


def _spread(tasks: int) -> int:
    """L: so many bits of a float64 are kept free for carries."""
    return max(1, (tasks - 1).bit_length())


def _sigma(exponents: Tensor, fold: int, spread: int) -> Tensor:
    """1.5 * 2^k, made of its bits; NaN where there is no sum."""
    power = exponents.to(torch.int64)
    power += spread + fold * (spread - 52) + BIAS
    power <<= MANTISSA
    power |= 1 << (MANTISSA - 1)
    sigma = power.view(torch.float64)
    return sigma.masked_fill_(exponents == NOT_FINITE, torch.nan) if int(exponents.max()) == NOT_FINITE else sigma
