"""Version 1 of the contract: read `rollout.proto`; `rollout_pb2` is generated from it."""
