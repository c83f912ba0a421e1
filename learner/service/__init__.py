"""The gRPC service for actors: the server, one connection per actor, and the encoded policy versions.

Not here: decisions about tasks (`learner/tasks`) or learning. Start reading at `connection.py`.
"""
