"""Load on a whole gateway: many users, many sockets, many hours, more data. `make load` and `make soak`."""
