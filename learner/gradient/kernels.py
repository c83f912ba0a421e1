"""Choices of kernels that are made once, before there are threads that could see them half made."""

from __future__ import annotations

import torch

from chorus.learner.gradient.lstm_compiled import compiled_loops


def choose_kernels() -> None:
    """Have MKL choose its kernels now, and the LSTM its loops; call it before gradients are computed on threads.

    The first call of any vector function (`exp`, `sqrt`, ...) of MKL 2024 stores the type of the processor, and a few
    instructions later, over it, the number of the kernels that suit it. A thread that calls one in between takes the
    type for that number, and what it computes differs in the last bits: seen about once in a thousand starts. Products
    choose theirs under a lock.
    """
    torch.exp(torch.zeros(1))
    compiled_loops()
