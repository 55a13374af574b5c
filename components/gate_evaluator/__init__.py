"""Measures a student and another model, and holds it to the gate's bounds on accuracy."""
