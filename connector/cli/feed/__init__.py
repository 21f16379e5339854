"""Feed recorded deliveries through the door of a sandbox."""
