"""The inbox: verify, keep, wake, answer."""
