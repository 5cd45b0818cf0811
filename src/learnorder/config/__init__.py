"""What configures a run; values to and from YAML and JSON; imports of the user's code."""
