"""Pretend stores, a mail catcher and a scripted shopper: the outside observer of the app, sharing no code with its adapters."""
