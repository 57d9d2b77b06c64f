"""Side-by-side measurements of HTTP: the gateway and its peers, in one run on one machine."""
