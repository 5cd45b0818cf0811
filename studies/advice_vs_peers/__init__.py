"""The advice against other ways to choose a learning rate; see ``docs/advice-vs-peers.md``."""
