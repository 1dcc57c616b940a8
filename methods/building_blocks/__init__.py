"""Parts that several losses and shallow methods are built from."""
