"""Server-rendered pages, thin; app.py is the composition root."""
