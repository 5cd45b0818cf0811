"""Tools for your own training loop; see the modules."""
