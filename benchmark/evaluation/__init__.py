"""Exact, tie-aware retrieval metrics: one name, one computation.

The path of an evaluation, from codes and labels to named values::

    names.parse_metric                "map@5000" -> Metric, every option written out
    evaluate.evaluate                 codes or embeddings, multi-hot labels, metrics -> values
      relevance.Relevance             shared labels: relevant or not, and the gain of each item
      ranking.Ranking                 the database ranked for each query; one of
        hamming.HammingRanking          codes, through a Counting of pairs by distance and gain:
          counting.Counting               numpy_counting, compiled_counting (numba, kernels/),
                                          device_counting (CUDA), sharded.counting (codes on disk)
        cosine.CosineRanking            float embeddings
      scoreboard.Scoreboard           for each block of queries,
        Ranking.groups                  count: TieGroups, the items and hits at every distance
        precision_recall                score: precision, recall and curves by Hamming radius
        average_precision               score: expected, best and worst mAP, and WAP
        graded_scores                   score: NDCG, ACG and WAP, from GainGroups
        stable_order.score_hit_ranks    score: ties=stable, from the ranks of relevant items
      scoreboard.MetricValue          the mean over the queries, and the value of every query

Items at equal distance form a *tie group*. Metrics with ``ties`` of ``expected``, ``best`` or
``worst`` follow from the numbers of items and relevant items (*hits*) in the groups, in closed form
(precision_sums, series); only ``ties=stable`` needs ranks of single items. Every Counting gives the
same whole numbers, so no bit of a value depends on which one is used, nor on the threads.

`entries.evaluate_entries` does the same for the worker and returns the fields of a record.
`sharded.evaluate.evaluate_shards` evaluates a database that does not fit in memory.
"""
