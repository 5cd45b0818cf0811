"""Whether the best learning rate moves with a setting: ``learnorder advise --along``."""
