"""The files of a run: the folder, its record of updates, and checkpoints.

Not here: reading a finished run for people (`chorus/runs`). Start reading at `run_folder.py`.
"""
