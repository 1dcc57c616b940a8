"""Processor instructions for compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hashbench.evaluation.kernels.layout import SHORT, WORD


def _popcount(typing: Any, value: Any) -> Any:
    del typing, value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


popcount = cast(Callable[[Any], Any], intrinsic(_popcount))
"""Count the set bits of a uint64; only compiled code can call it."""


def _equal(typing: Any, array: Any, start: Any, value: Any) -> Any:
    del typing, start, value
    if array.layout != "C" or array.dtype != types.uint16:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held, first, sought = arguments
        data = context.make_array(signature.args[0])(context, builder, held).data
        short = ir.IntType(SHORT)
        row = ir.VectorType(short, WORD)
        numbers = builder.load(builder.bitcast(builder.gep(data, [first]), row.as_pointer()))
        numbers.align = 2
        some = ir.Constant(row, ir.Undefined)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), WORD), [0] * WORD)
        single = builder.insert_element(some, sought, ir.Constant(ir.IntType(32), 0))
        same = builder.icmp_unsigned("==", numbers, builder.shuffle_vector(single, some, lanes))
        return builder.bitcast(same, ir.IntType(WORD))

    return types.uint64(array, types.intp, types.uint16), generate


equal = cast(Callable[[Any, Any, Any], Any], intrinsic(_equal))
"""Compare 64 numbers of a uint16 array, from an index on, with a value; the bits of a uint64.

The array has to be contiguous and to have 64 numbers from there on; nothing checks this.
"""
