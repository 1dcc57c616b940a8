"""Methods: backbones, hashing losses and shallow baselines behind one interface."""
