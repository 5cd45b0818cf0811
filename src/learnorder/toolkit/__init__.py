"""What people use in their own training loops; see the modules."""
