"""What gbstats, GrowthBook's engine of statistics, answers (suites/gbstats/cases.json)."""

from __future__ import annotations

from typing import Any

from rapport import RapportError, testing

COUNT = 192
MESSAGES = {
    "ZERO_NEGATIVE_VARIANCE": "no variance",
    "ZERO_NEGATIVE_BASELINE_VARIATION": "mean is zero",
}


def gbstats(document: Any) -> list[tuple[str, list[str]]]:
    """Runs all of them; a name and a list of failures each."""
    cases = document["cases"]
    results = [(f"{at}: {case['test']}", faults(case)) for at, case in enumerate(cases)]
    if len(cases) != COUNT:
        results.append(("count", [f"{len(cases)} cases are not {COUNT}"]))
    return results


def faults(case: Any) -> list[str]:
    kind, args, result = case["class"], case["args"], case["result"]
    is_bandit = kind == "BanditsSimple"
    at = 2 if is_bandit else 1
    config = (args[at] if len(args) > at else None) or case["kwargs"].get("config") or {}
    wrong = result.get("errorMessage") or result.get("error_message")
    try:
        if is_bandit:
            pairs = bandit(args[0], config, result)
        else:
            pairs = compared(kind, args[0], config, result, wrong)
    except RapportError as error:
        expected = MESSAGES.get(wrong or "")
        return [] if expected and expected in str(error) else [str(error)]
    return [
        f"{name}: {ours} is not {theirs}" for name, ours, theirs in pairs if not near(ours, theirs)
    ]


Pairs = list[tuple[str, Any, Any]]


def compared(kind: str, strata: Any, config: Any, result: Any, wrong: str | None) -> Pairs:
    if wrong:
        result = {**result, "expected": "an error", "point_estimate": "an error"}
    followed = kind == "EffectMoments"
    found = testing.compare_variations(
        {
            "strata": [[statistic(one, followed) for one in pair] for pair in strata],
            "difference": "absolute" if config.get("difference_type") == "absolute" else "relative",
            "post_stratify": kind == "EffectMomentsPostStratification"
            or config.get("post_stratify") is True,
            "method": method(kind, config),
        }
    )
    if kind.startswith("EffectMoments"):
        return [
            ("point_estimate", found["estimate"], result["point_estimate"]),
            ("standard_error", found["standard_error"], result["standard_error"]),
            ("pairwise_sample_size", found["units"], result["pairwise_sample_size"]),
        ]
    pairs = [
        ("expected", found["estimate"], result["expected"]),
        ("ci", found["interval"], result["ci"]),
    ]
    if kind == "EffectBayesianABTest":
        chance = ("chanceToWin", found["chance_to_win"], result["chanceToWin"])
        return [*pairs, chance, ("risk", found["risk"], result["risk"])]
    return [*pairs, ("pValue", found["p_value"], result["pValue"])]


def bandit(arms: Any, config: Any, result: Any) -> Pairs:
    weights, best, intervals = testing.bandit_weights(
        [statistic(arm) for arm in arms],
        config.get("bandit_weights_seed") or 1,
        config.get("top_two") or False,
        config.get("inverse") or False,
        config.get("min_variation_weight") or 0.0,
    )
    return [
        ("bandit_weights", weights, result["bandit_weights"]),
        ("best_arm_probabilities", best, result["best_arm_probabilities"]),
        ("ci", intervals, result["ci"]),
    ]


def method(kind: str, config: Any) -> dict[str, Any]:
    if kind.startswith("EffectMoments"):
        return {"kind": "effect"}
    if kind == "EffectBayesianABTest":
        asked = {"kind": "bayesian", "less_is_better": config.get("inverse") is True}
        prior = config.get("prior_effect")
        if not (prior and prior.get("proper")):
            return asked
        absolute = config.get("prior_type") == "absolute"
        known = {"mean": number(prior["mean"]), "variance": number(prior["variance"])}
        return asked | {"prior": known | {"difference": "absolute" if absolute else "relative"}}
    side = "greater" if "Greater" in kind else "less" if "Lesser" in kind else "both"
    if not kind.startswith("Sequential"):
        return {"kind": "t_test", "side": side}
    tuned = config.get("sequential_tuning_parameter")
    return {"kind": "sequential", "side": side, **({} if tuned is None else {"tuned_for": tuned})}


def statistic(given: Any, followed: bool = False) -> dict[str, Any]:
    """`followed`: a covariate that is not followed yet is not followed at all."""
    theta = given.get("theta")
    if theta is None and followed:
        theta = 0
    adjusted = {} if theta is None else {"theta": theta}

    def ratio(top: str, bottom: str, products: str) -> dict[str, Any]:
        return {"top": sums(given[top]), "bottom": sums(given[bottom]), "products": given[products]}

    match given["__type"]:
        case "RatioStatistic":
            return {"kind": "ratio"} | ratio("m_statistic", "d_statistic", "m_d_sum_of_products")
        case "RegressionAdjustedStatistic":
            return {
                "kind": "adjusted",
                "after": sums(given["post_statistic"]),
                "before": sums(given["pre_statistic"]),
                "products": given["post_pre_sum_of_products"],
                **adjusted,
            }
        case "RegressionAdjustedRatioStatistic":
            after = ("m_statistic_post", "d_statistic_post", "m_post_d_post_sum_of_products")
            before = ("m_statistic_pre", "d_statistic_pre", "m_pre_d_pre_sum_of_products")
            return {
                "kind": "adjusted_ratio",
                "after": ratio(*after),
                "before": ratio(*before),
                "tops": given["m_post_m_pre_sum_of_products"],
                "bottoms": given["d_post_d_pre_sum_of_products"],
                "top_bottom": given["m_post_d_pre_sum_of_products"],
                "bottom_top": given["m_pre_d_post_sum_of_products"],
                **adjusted,
            }
        case "QuantileStatistic":
            return {
                "kind": "quantile",
                "events": given["n"],
                "sampled": given["n_star"],
                "level": given["nu"],
                "value": given["quantile_hat"],
                "lower": given["quantile_lower"],
                "upper": given["quantile_upper"],
            }
        case _:
            return {"kind": "mean"} | sums(given)


def sums(given: Any) -> dict[str, Any]:
    squares = given.get("sum_squares")
    known = {} if squares is None else {"squares": squares}
    return {"units": given["n"], "sum": given["sum"]} | known


def number(given: Any) -> Any:
    return float(given["__float"]) if isinstance(given, dict) else given


def near(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, list):
        same = ours is not None and len(ours) == len(theirs)
        return same and all(near(one, other) for one, other in zip(ours, theirs, strict=True))
    given = number(theirs)
    if given is None or isinstance(given, str) or ours is None:
        return bool(ours == given)
    return bool(ours == given or abs(ours - given) <= 1e-9 * max(abs(given), 1))
