"""Mutation testing: how many small edits of the product's code the tests notice."""
