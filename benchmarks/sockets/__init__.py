"""Side-by-side measurements of sockets: the gateway and its peers, in one run on one machine."""
