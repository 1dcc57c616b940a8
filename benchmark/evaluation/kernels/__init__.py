"""Compiled loops over query and item pairs. Importing a module of it imports numba.

Everything but `precisions` is in whole numbers, so what the compiler does to the order of
operations changes nothing. The loops hold no lock of the interpreter. Beside what a block needs
they allocate a bit an item and, to rank all relevant ones, eight bytes for each of those.

The *key* of an item is a whole number made of its distance and its level, such as its cell in a
histogram, ``distance + radii * level``. Keys are made for a block of items by short loops without
branches, which the compiler turns into vector instructions, and are then counted one by one.
Counting is what limits the speed: a processor adds to one counter at a time. So where the cells are
few, the keys of two items, one of each half of the database, make one index into a square of cells,
and one addition counts both.

What is relevant is ranked while everything is counted by distance: an item stands behind all that
are closer, which is known in the end, and behind those of its distance that were met before it.
Items are counted 64 at a time, and each relevant one's distance is compared with those of its 64.
"""
