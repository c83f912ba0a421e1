"""What a person types and looks at: the `chorus` command, training on this machine, evaluation, plots and films.

Not here: anything that training itself depends on. Start reading at `__main__.py`.
"""
