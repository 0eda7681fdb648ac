"""How many workers, cores and machines so many users need, by simulation from measured times."""
