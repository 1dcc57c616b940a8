"""The folder map: which top-level folder is which importable package.

Everything else about the package is in pyproject.toml. Sub-packages are found, never listed, so a
new folder cannot be missing from a wheel.
"""

from setuptools import find_packages, setup

FOLDERS = {
    "hashbench": "benchmark",
    "hashbench.methods": "methods",
    "hashbench.datasets": "datasets",
    "hashbench.reports": "reports",
}

setup(
    package_dir=FOLDERS,
    packages=[
        package
        for root, folder in FOLDERS.items()
        for package in (root, *(f"{root}.{name}" for name in find_packages(folder)))
    ],
)
