"""What a run wrote down, read again: its record, curve and profile; two runs compared; a task replayed.

Not here: writing it (`learner/storage`). Start reading at `record.py`.
"""
