"""How far the effect carries: sweeps over learning rate, contrast, batch size and anneal."""
