"""The operations that every format writes in its own way."""

from __future__ import annotations

from typing import Protocol, TypeVar

from chorus.common.environments.interface import FloatArray

V = TypeVar("V")

FAR = 1e9
"""What `attend` takes from the scores of entities that are not there, as actors and learner do."""


class Graph(Protocol[V]):
    """The operations that a policy is made of, on values `[row, number]`; `V` is what a format calls a value."""

    def weight(self, name: str, values: FloatArray) -> V:
        """A tensor of the policy."""

    def real(self, rows: V) -> V:
        """Bytes as float32."""

    def linear(self, rows: V, weight: V, bias: V | None) -> V:
        """`rows weight^T + bias`, or without bias."""

    def normalise(self, rows: V, weight: V, bias: V) -> V:
        """Layer normalisation over each row's numbers, as `torch.nn.LayerNorm` does it."""

    def relu(self, rows: V) -> V:
        """`max(0, .)`."""

    def elu(self, rows: V) -> V:
        """`.` above 0, `exp(.) - 1` below."""

    def sigmoid(self, rows: V) -> V:
        """`1 / (1 + exp(-.))`."""

    def tanh(self, rows: V) -> V:
        """The hyperbolic tangent."""

    def add(self, one: V, other: V) -> V:
        """Their sum."""

    def subtract(self, one: V, other: V) -> V:
        """Their difference."""

    def multiply(self, one: V, other: V) -> V:
        """Their product, number by number."""

    def join(self, one: V, other: V) -> V:
        """Both, one row after the other's."""

    def columns(self, rows: V, start: int, stop: int) -> V:
        """Some of the numbers of every row."""

    def pick(self, table: V, numbers: V) -> V:
        """A row of a table for each of `numbers` `[row]`."""

    def pictures(self, rows: V, shape: tuple[int, ...]) -> V:
        """Rows laid out height, width, channel as pictures `[row, channel, height, width]`."""

    def convolve(self, pictures: V, kernels: V, bias: V, stride: int, margin: int) -> V:
        """Padded by `margin` on every side; kernels `[filter, channel, side, side]`."""

    def flat(self, pictures: V, size: int) -> V:
        """Pictures as rows again, `size` numbers laid out height, width, channel."""

    def entities(self, rows: V, features: int) -> V:
        """The entities of all rows below one another, `[row * entity, feature]`."""

    def present(self, rows: V, shape: tuple[int, ...]) -> V:
        """1 for entities that are there, 0 for those whose features are all 0: `[row, entity]`."""

    def attend(self, query: V, key: V, value: V, present: V, split: tuple[int, int, int]) -> V:
        """Multi-head attention among each row's entities that are there: `softmax(q k / sqrt(d)) v` in every head.

        Values are `[row * entity, width]`, heads side by side; `split` is how many entities, heads, and `d`.
        """

    def mean(self, told: V, present: V, shape: tuple[int, int]) -> V:
        """Over the entities that are there, `[row, width]` of `[row * entity, width]`; 0 where there are none.

        `shape` is how many entities, and their width.
        """

    def embed(self, structure: bytes, fed: dict[str, V]) -> list[V]:
        """The outputs of an ONNX file without weights, all of whose inputs are fed to it by name.

        Raises:
            ChorusError: the format cannot hold one.
        """
