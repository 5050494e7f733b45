"""The commands of `ticketing`, one module each; heavy imports happen inside them."""
