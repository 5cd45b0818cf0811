"""How runs are executed: on this machine, on several, on Ray."""
