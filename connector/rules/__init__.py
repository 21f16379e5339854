"""Pure decisions: data and the time in, a decision with its reason out."""
