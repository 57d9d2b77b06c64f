"""The reference prediction pipeline: replays real daily bars, reaches the gateway by NATS alone."""
