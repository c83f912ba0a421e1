"""The wire contract between actors and learner, and the modules generated from it.

Not here: anything written by hand in Python; generated modules are built (`make protos`), never edited or committed.
Start reading at `chorus/v1/rollout.proto`.
"""
