"""Lists of nearest neighbours, and the symmetric adjacency made from them on demand.

Two items are adjacent if either is in the other's list, and every item is adjacent to itself. The
N x N matrix is never stored: rows and edges of it are made from the lists, (N, k).
"""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 1024


def neighbour_lists(directions: Tensor, count: int) -> Tensor:
    """The items with the highest cosine to each item, itself left out.

    Args:
        directions: (N, D), rows of norm 1 or 0.
        count: Length k of a list, at most N - 1; a longer one is cut to that.

    Returns:
        int64 (N, k), nearest first.
    """
    items = len(directions)
    count = min(count, items - 1)
    blocks = []
    for own in torch.split(torch.arange(items, device=directions.device), _BLOCK):
        cosines = directions[own] @ directions.T
        # Below every cosine, so that an item is not its own neighbour even among duplicates.
        cosines[torch.arange(len(own), device=own.device), own] = -torch.inf
        blocks.append(cosines.topk(count, dim=1).indices)
    return torch.cat(blocks)


def adjacency_rows(lists: Tensor, rows: Tensor) -> Tensor:
    """Some rows of the adjacency.

    Args:
        lists: int64 (N, k).
        rows: int64 (n,), distinct.

    Returns:
        bool (n, N).
    """
    items, count = len(lists), len(rows)
    everyone = torch.arange(items, device=lists.device)
    own = torch.arange(count, device=lists.device)
    place = torch.full_like(everyone, count)
    place[rows] = own
    # One row more, which takes what no asked-for row has a share in: no size depends on the data,
    # so the device is never waited for.
    adjacent = torch.zeros(count + 1, items, dtype=torch.bool, device=lists.device)
    adjacent[place[lists], everyone[:, None]] = True
    adjacent[own[:, None], lists[rows]] = True
    adjacent[own, rows] = True
    return adjacent[:count]


def adjacency_pairs(lists: Tensor, rows: Tensor) -> Tensor:
    """The part of the adjacency between some items only.

    Args:
        lists: int64 (N, k).
        rows: int64 (n,), distinct.

    Returns:
        bool (n, n), symmetric.
    """
    listed = (lists[rows][:, :, None] == rows).any(1)
    return (listed | listed.T).fill_diagonal_(True)


def adjacency_edges(lists: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The true entries of some rows of the adjacency.

    Args:
        lists: int64 (N, k).
        rows: int64 (n,), distinct.

    Returns:
        Positions in ``rows`` and columns, each int64 (E,), E <= n + 2 N k; each entry once.
    """
    items = len(lists)
    own = torch.arange(len(rows), device=lists.device)
    place = torch.full((items,), -1, device=lists.device)
    place[rows] = own
    listed_in = place[lists]
    listing = torch.arange(items, device=lists.device)[:, None].expand_as(lists)
    found = listed_in >= 0
    entries = torch.cat(
        [
            own * items + rows,
            (own[:, None] * items + lists[rows]).flatten(),
            listed_in[found] * items + listing[found],
        ]
    )
    edges: Tensor = torch.unique(entries)
    return edges // items, edges % items
