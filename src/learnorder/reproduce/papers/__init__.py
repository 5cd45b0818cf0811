"""The papers whose claims are tested: each a module with its claims and its experiments."""
