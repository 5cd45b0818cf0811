"""Known shortcuts: which learning rate relies on them, and what the worst group pays."""
