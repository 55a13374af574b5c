"""The front door: what a run is, which components it chains, where it runs, the command line."""
