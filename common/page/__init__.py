"""The page on which a run is looked at: live from its learner, from its folder, or frozen into a file.

Not here: what a command does with it (`chorus/commands/view.py`, `report.py`). Start reading at `run_story.py` (what is
told of a run), then `document.py` (the file that shows it) and `site.py` (who is answered what).
"""
