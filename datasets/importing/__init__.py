"""From a folder or zip file of images to a dataset that a matrix can name."""
