"""How well mislabelled examples are found, by training dynamics and by cleanlab."""
