"""What measurements side by side share: the ground, the peers' libraries, the feeder, meters and tables."""
