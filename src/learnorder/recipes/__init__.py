"""The paper's experiments, one file each, at several scales."""
