"""The command ``advise``: which initial learning rate is best after annealing."""
