"""Training a network, and measuring it after every epoch."""
