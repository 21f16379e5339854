"""Background work: apply what was kept, decide, send."""
