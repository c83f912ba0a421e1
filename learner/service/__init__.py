"""What talks to actors: the gRPC server, a connection each, and the encoded versions that many are sent.

Not here: decisions about tasks (`learner/tasks`) or learning. Start reading at `connection.py`.
"""
