"""The papers: a module each, named by first author and year."""
