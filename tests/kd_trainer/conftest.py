"""Makes this folder's helpers importable in the folders below."""
