"""Operating a learner and actors on many machines: certificates, health probes, a run's status.

Not here: images and manifests (`deploy`). Start reading at `status.py`.
"""
