"""The accuracy benchmark at full scale, on Keras's JAX backend."""
