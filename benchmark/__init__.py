"""hashbench: a benchmark of deep hashing for image retrieval with numbers that can be re-run."""

from hashbench.core import moved_modules
from hashbench.version import VERSION

__version__ = VERSION

moved_modules.install()
