"""``learnorder advise --jointly``: the best pair of a learning rate and another setting."""
