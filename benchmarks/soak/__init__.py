"""Kills a run at random moments, starts it again, and compares it with an undisturbed one."""
