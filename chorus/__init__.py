"""Chorus: trains a team of agents with one shared recurrent policy, on as many machines as there are.

The rooms `actor`, `common`, `learner`, `protos`, `studies` and `benchmarks` stand at the top of the repository and are
parts of this package by links. Beside them: `commands` (what a person types) and what the commands do.
"""
