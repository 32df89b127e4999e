"""Microseconds of a score by the `wasmtime` wheel: `scorer.py GUEST`.

The same job as ours: each score from a new instance, with fuel and a deadline.
"""

import struct
import sys
import time

import wasmtime

SLICES, CALLS, ROUNDS = 20, 100, 10

config = wasmtime.Config()
config.consume_fuel = True
config.epoch_interruption = True
config.cranelift_nan_canonicalization = True
engine = wasmtime.Engine(config)
module = wasmtime.Module.from_file(engine, sys.argv[1])
linker = wasmtime.Linker(engine)


def started():
    store = wasmtime.Store(engine)
    store.set_fuel(2_000_000_000)
    store.set_epoch_deadline(1_000_000)
    exports = linker.instantiate(store, module).exports(store)
    return store, exports["memory"], exports["cabi_realloc"], exports["score"]


def ask(row):
    store, memory, realloc, score = started()
    room = realloc(store, 0, 0, 8, 8 * len(row))
    memory.write(store, struct.pack(f"<{len(row)}d", *row), room)
    return score(store, room, len(row))


def microseconds():
    rows = [(row % 13, 20_400 + row % 101, row % 4) for row in range(SLICES * CALLS)]
    fastest = [float("inf")] * SLICES
    for _ in range(ROUNDS):
        for at in range(SLICES):
            start = time.perf_counter()
            for row in rows[at * CALLS : (at + 1) * CALLS]:
                ask(row)
            fastest[at] = min(fastest[at], (time.perf_counter() - start) / CALLS)
    return sum(fastest) / SLICES * 1e6


print(microseconds())
