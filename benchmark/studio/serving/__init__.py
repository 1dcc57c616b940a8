"""How the page is served: who may ask, what may be sent, what may be read."""
