"""Training of a network, with evaluation after every epoch."""
