"""How fast the webhook door is, as ratios to what the machine could do at best and to the usual way of writing one."""
