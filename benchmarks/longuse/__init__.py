"""Many scheduled runs in one workdir, one after the other."""
