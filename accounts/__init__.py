"""Who may call: accounts, tiers, keys, and how a request proves who it is."""
