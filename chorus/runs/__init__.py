"""Reading a run folder: its record, curve and profile; comparing two runs; replaying a task.

Not here: writing it (`learner/storage`). Start reading at `record.py`.
"""
