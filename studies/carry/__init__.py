"""How far the effect extends: sweeps over learning rate, contrast, batch size and anneal."""
