"""What our own people see: search over all accounts, and one store with everything around it."""
