"""Our bandits beside mabwiser's and Vowpal Wabbit's in the same worlds: bandits.py PLAY [--seeds N] → one figure a line.

A world says what every arm would earn of every visitor. All learn of the arm that they showed only, a batch of
visitors late, as a server does that publishes weights. Regret: what the best arm of each visitor was expected to
earn beyond the one that was shown.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile

import numpy as np

BATCH = 50


def rates(seed, visitors=10_000, arms=5):
    """Arms that convert 2 to 12 visitors of a hundred."""
    draw = np.random.default_rng(seed)
    expected = np.broadcast_to(draw.uniform(0.02, 0.12, arms), (visitors, arms))
    return np.zeros((visitors, 0)), draw.random((visitors, arms)) < expected, expected


def contexts(seed, visitors=3_000, arms=4, features=5):
    """Whom an arm wins depends on who comes."""
    draw = np.random.default_rng(1_000 + seed)
    context = np.column_stack([np.ones(visitors), draw.normal(size=(visitors, features - 1))])
    slopes = draw.normal(0, 0.7, (features, arms))
    slopes[0] = draw.normal(-1.5, 0.3, arms)
    expected = 1 / (1 + np.exp(-context @ slopes))
    return context, draw.random((visitors, arms)) < expected, expected


def ours(play, worlds):
    context, reward, _ = worlds[0]
    head = struct.pack("<5I", len(worlds), len(reward), reward.shape[1], context.shape[1], BATCH)
    with tempfile.NamedTemporaryFile() as file:
        file.write(head)
        for context, reward, expected in worlds:
            for part in (context.astype("<f8"), reward.astype("u1"), expected.astype("<f8")):
                file.write(np.ascontiguousarray(part).tobytes())
        file.flush()
        said = subprocess.run([play, file.name], check=True, capture_output=True, text=True).stdout
    return {line["policy"]: line["regrets"] for line in map(json.loads, said.splitlines())}


def batches(world, show, learn):
    """Regret of showing arms to batches of visitors and learning of them afterwards."""
    context, reward, expected = world
    regret = 0.0
    for start in range(0, len(reward), BATCH):
        rows = np.arange(start, min(start + BATCH, len(reward)))
        arms, extra = show(context[rows])
        regret += (expected[rows].max(axis=1) - expected[rows, arms]).sum()
        learn(context[rows], arms, reward[rows, arms].astype(float), extra)
    return regret


def mabwiser(policy):
    from mabwiser.mab import MAB

    def play(world, seed):
        context, reward, _ = world
        bare = context.shape[1] == 0
        arms = list(range(reward.shape[1]))
        mab = MAB(arms, policy(), seed=seed)
        known = False

        def show(rows):
            nonlocal known
            if not known:
                draw = np.random.default_rng(seed)
                return draw.integers(0, len(arms), len(rows)), None
            shown = [mab.predict() for _ in rows] if bare else mab.predict(rows)
            return np.atleast_1d(shown), None

        def learn(rows, shown, rewards, _):
            nonlocal known
            given = {} if bare else {"contexts": rows}
            (mab.partial_fit if known else mab.fit)(shown, rewards, **given)
            known = True

        return batches(world, show, learn)

    return play


def vowpal(options):
    from vowpalwabbit import pyvw

    def play(world, seed):
        arms = world[1].shape[1]
        wabbit = pyvw.Workspace(f"--cb_explore_adf {options} --quiet --random_seed {seed} -q sa")
        draw = np.random.default_rng(seed)
        kinds = [f"|a arm{arm}" for arm in range(arms)]

        def shared(row):
            return "shared |s " + " ".join(f"x{index}:{x:.5f}" for index, x in enumerate(row))

        def show(rows):
            shown, chances = [], []
            for row in rows:
                chance = np.array(wabbit.predict([shared(row), *kinds]))
                arm = draw.choice(arms, p=chance / chance.sum())
                shown.append(arm)
                chances.append(chance[arm])
            return np.array(shown), chances

        def learn(rows, shown, rewards, chances):
            for row, arm, reward, chance in zip(rows, shown, rewards, chances):
                lines = list(kinds)
                lines[arm] = f"0:{-reward}:{chance} {kinds[arm]}"
                wabbit.learn([shared(row), *lines])

        regret = batches(world, show, learn)
        wabbit.finish()
        return regret

    return play


def peers(bare):
    from mabwiser.mab import LearningPolicy as Learn

    yield "vw squarecb", vowpal("--squarecb")
    yield "vw softmax", vowpal("--softmax --lambda 10")
    yield "vw cover", vowpal("--cover 3")
    yield "vw epsilon", vowpal("--epsilon 0.05")
    if bare:
        yield "mabwiser thompson", mabwiser(Learn.ThompsonSampling)
        yield "mabwiser ucb1", mabwiser(lambda: Learn.UCB1(alpha=0.25))
    else:
        for alpha in (0.25, 1.0):
            yield f"mabwiser linucb {alpha}", mabwiser(lambda alpha=alpha: Learn.LinUCB(alpha=alpha))
            yield f"mabwiser lints {alpha}", mabwiser(lambda alpha=alpha: Learn.LinTS(alpha=alpha))
        yield "mabwiser lingreedy", mabwiser(lambda: Learn.LinGreedy(epsilon=0.05))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("play", help="core/examples/bandit_play, built")
    parser.add_argument("--seeds", type=int, default=100, help="worlds of each kind")
    given = parser.parse_args()
    ratios = []
    for kind, make in (("rates", rates), ("contexts", contexts)):
        worlds = [make(seed) for seed in range(given.seeds)]
        theirs = {}
        for peer, play in peers(kind == "rates"):
            theirs[peer] = np.array([play(world, seed) for seed, world in enumerate(worlds)])
            print(f"{kind}: {peer} {theirs[peer].mean():.1f}", file=sys.stderr)
        peer = min(theirs, key=lambda name: theirs[name].mean())
        best = theirs[peer]
        for policy, regrets in ours(given.play, worlds).items():
            beyond = np.array(regrets) - best
            error = max(best.std(), np.std(regrets)) / given.seeds**0.5
            print(f"{kind}: {policy} {np.mean(regrets):.1f} ± {error:.1f}", file=sys.stderr)
            name = f"bandit_regret_{kind}" + ("_with_floor" if "0.01" in policy else "")
            figure = {"name": name, "value": np.mean(regrets), "peer": peer, "peer_value": best.mean()}
            figure |= {"ratio": np.mean(regrets) / best.mean(), "unit": "conversions"}
            if "0.01" not in policy:
                ratios.append(figure["ratio"])
            print(json.dumps(figure))
            print(json.dumps({"name": f"{name}_errors", "value": beyond.mean() / error, "unit": "standard errors"}))
    print(json.dumps({"name": "bandit_regret_ratio", "value": max(ratios), "unit": ""}))


if __name__ == "__main__":
    main()
