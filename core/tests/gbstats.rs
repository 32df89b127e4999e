//! What gbstats 0.8.0, GrowthBook's engine, answers: `conformance/suites/gbstats/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(feature = "wire")]

use rapport_core::bandit::{Posterior, Thompson};
use rapport_core::stats::{
    Adjusted, AdjustedRatio, Difference, Effect, EffectError, Prior, Quantile, Ratio, Scale,
    Sequence, Side, Statistic, Stratum, Sums, Verdict, believe, compare_strata, moments, pooled,
    stratified, t_test,
};
use serde_json::Value;

const CASES: &str = include_str!("../../conformance/suites/gbstats/cases.json");

#[test]
fn every_result_is_that_of_gbstats_to_nine_digits() {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 192);
    let mut wrong = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let ours = answer(case);
        for (name, ours) in ours {
            if !agrees(&ours, &case["result"][name]) {
                wrong.push(format!(
                    "{at} {} {name}: {ours:?} is not {}",
                    case["test"], case["result"][name]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("CASES gbstats {}", cases.len());
}

#[derive(Debug)]
enum Answer {
    Figures(Vec<f64>),
    Figure(f64),
    Text(Option<&'static str>),
}

use Answer::{Figure, Figures, Text};

fn agrees(ours: &Answer, theirs: &Value) -> bool {
    match ours {
        Figure(ours) => near(*ours, number(theirs)),
        Figures(ours) => {
            let theirs = theirs.as_array().unwrap();
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| near(*a, number(b)))
        }
        Text(ours) => *ours == theirs.as_str(),
    }
}

fn near(ours: f64, theirs: f64) -> bool {
    ours == theirs || (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0)
}

fn answer(case: &Value) -> Vec<(&'static str, Answer)> {
    let config = match case["args"].get(1) {
        Some(config) => config,
        None => &case["kwargs"]["config"],
    };
    let difference = match config["difference_type"].as_str() {
        Some("absolute") => Difference::Absolute,
        _ => Difference::Relative,
    };
    let strata = || strata(&case["args"][0]);
    let class = case["class"].as_str().unwrap();
    match class {
        "EffectMoments" => {
            let [(control, treatment)] = &strata()[..] else { panic!("one stratum") };
            effect_answer(moments(control, treatment, difference))
        }
        "EffectMomentsPostStratification" => effect_answer(stratified(&strata(), difference)),
        "EffectBayesianABTest" => belief_answer(&strata(), difference, config),
        "BanditsSimple" => bandit_answer(case),
        _ => {
            let strata = strata();
            let effect = if config["post_stratify"] == true {
                compare_strata(&strata, difference)
            } else {
                pooled(&strata, difference)
            };
            let side = match class {
                name if name.contains("Greater") => Side::Greater,
                name if name.contains("Lesser") => Side::Less,
                _ => Side::Both,
            };
            let tuned_for = config["sequential_tuning_parameter"].as_f64().unwrap_or(5000.0);
            let sequence = Sequence { alpha: 0.05, tuned_for };
            test_answer(effect.map(|effect| {
                let sequential = class.starts_with("Sequential");
                let verdict = if sequential {
                    sequence.test(&effect, side)
                } else {
                    t_test(&effect, side, 0.05)
                };
                (effect, verdict)
            }))
        }
    }
}

fn effect_answer(effect: Result<Effect, EffectError>) -> Vec<(&'static str, Answer)> {
    let (estimate, error, units) = effect
        .map_or((0.0, 0.0, 0), |effect| (effect.estimate, effect.standard_error, effect.units));
    vec![
        ("point_estimate", Figure(estimate)),
        ("standard_error", Figure(error)),
        ("pairwise_sample_size", Figure(units as f64)),
        ("error_message", Text(effect.err().map(message))),
    ]
}

fn test_answer(result: Result<(Effect, Verdict), EffectError>) -> Vec<(&'static str, Answer)> {
    let Ok((effect, verdict)) = result else {
        return vec![
            ("expected", Figure(0.0)),
            ("ci", Figures(vec![0.0, 0.0])),
            ("errorMessage", Text(result.err().map(message))),
        ];
    };
    vec![
        ("expected", Figure(effect.estimate)),
        ("ci", Figures(verdict.interval.to_vec())),
        ("pValue", Figure(verdict.p_value)),
        ("errorMessage", Text(None)),
    ]
}

fn belief_answer(
    strata: &[Stratum],
    difference: Difference,
    config: &Value,
) -> Vec<(&'static str, Answer)> {
    let effect = match pooled(strata, difference) {
        Ok(effect) => effect,
        Err(error) => {
            return vec![
                ("expected", Figure(0.0)),
                ("ci", Figures(vec![0.0, 0.0])),
                ("chanceToWin", Figure(0.5)),
                ("risk", Figures(vec![0.0, 0.0])),
                ("errorMessage", Text(Some(message(error)))),
            ];
        }
    };
    let prior = &config["prior_effect"];
    let prior = (prior["proper"] == true).then(|| Prior {
        mean: number(&prior["mean"]),
        variance: number(&prior["variance"]),
        difference: match config["prior_type"].as_str() {
            Some("absolute") => Difference::Absolute,
            _ => Difference::Relative,
        },
    });
    let scale = Scale {
        difference,
        baseline: strata[0].0.plain_mean(),
        less_is_better: config["inverse"] == true,
    };
    let belief = believe(&effect, scale, prior, 0.05);
    vec![
        ("expected", Figure(belief.mean)),
        ("ci", Figures(belief.interval.to_vec())),
        ("chanceToWin", Figure(belief.chance_to_win)),
        ("risk", Figures(belief.risk.to_vec())),
        ("errorMessage", Text(None)),
    ]
}

fn bandit_answer(case: &Value) -> Vec<(&'static str, Answer)> {
    let config = &case["args"][2];
    let arms: Vec<Statistic> = case["args"][0].as_array().unwrap().iter().map(statistic).collect();
    let posteriors: Vec<Posterior> = arms.iter().map(|arm| Posterior::of(arm).unwrap()).collect();
    let sampled = Thompson {
        seed: config["bandit_weights_seed"].as_u64().unwrap(),
        draws: 10_000,
        top_two: config["top_two"] == true,
        less_is_better: config["inverse"] == true,
        floor: number(&config["min_variation_weight"]),
    }
    .weights(&posteriors);
    for (arm, posterior) in posteriors.iter().enumerate() {
        let theirs = case["result"]["ci"][arm].as_array().unwrap();
        let ours = posterior.interval(0.05).unwrap();
        assert!(ours.iter().zip(theirs).all(|(ours, theirs)| near(*ours, number(theirs))));
    }
    vec![
        ("users", Figures(arms.iter().map(|arm| arm.units() as f64).collect())),
        ("cr", Figures(arms.iter().map(Statistic::mean).collect())),
        ("bandit_weights", Figures(sampled.weights)),
        ("best_arm_probabilities", Figures(sampled.best)),
    ]
}

fn message(error: EffectError) -> &'static str {
    match error {
        EffectError::NoVariance => "ZERO_NEGATIVE_VARIANCE",
        EffectError::NoBaseline => "ZERO_NEGATIVE_BASELINE_VARIATION",
        other => panic!("{other}"),
    }
}

fn strata(list: &Value) -> Vec<Stratum> {
    let pairs = list.as_array().unwrap().iter();
    pairs.map(|pair| (statistic(&pair[0]), statistic(&pair[1]))).collect()
}

fn statistic(wire: &Value) -> Statistic {
    let theta = wire["theta"].as_f64();
    let of = |name: &str| number(&wire[name]);
    match wire["__type"].as_str().unwrap() {
        "ProportionStatistic" | "SampleMeanStatistic" => Statistic::Mean(sums(wire)),
        "RatioStatistic" => Statistic::Ratio(Ratio {
            top: sums(&wire["m_statistic"]),
            bottom: sums(&wire["d_statistic"]),
            products: of("m_d_sum_of_products"),
        }),
        "RegressionAdjustedStatistic" => Statistic::Adjusted(Adjusted {
            after: sums(&wire["post_statistic"]),
            before: sums(&wire["pre_statistic"]),
            products: of("post_pre_sum_of_products"),
            theta,
        }),
        "RegressionAdjustedRatioStatistic" => Statistic::AdjustedRatio(AdjustedRatio {
            after: Ratio {
                top: sums(&wire["m_statistic_post"]),
                bottom: sums(&wire["d_statistic_post"]),
                products: of("m_post_d_post_sum_of_products"),
            },
            before: Ratio {
                top: sums(&wire["m_statistic_pre"]),
                bottom: sums(&wire["d_statistic_pre"]),
                products: of("m_pre_d_pre_sum_of_products"),
            },
            tops: of("m_post_m_pre_sum_of_products"),
            bottoms: of("d_post_d_pre_sum_of_products"),
            top_bottom: of("m_post_d_pre_sum_of_products"),
            bottom_top: of("m_pre_d_post_sum_of_products"),
            theta,
        }),
        "QuantileStatistic" => Statistic::Quantile(Quantile {
            events: wire["n"].as_u64().unwrap(),
            sampled: wire["n_star"].as_u64().unwrap(),
            level: of("nu"),
            value: of("quantile_hat"),
            lower: of("quantile_lower"),
            upper: of("quantile_upper"),
            clusters: None,
        }),
        other => panic!("no statistic is called {other}"),
    }
}

fn sums(wire: &Value) -> Sums {
    let (units, sum) = (wire["n"].as_u64().unwrap(), number(&wire["sum"]));
    match wire.get("sum_squares") {
        Some(squares) => Sums::amount(units, sum, number(squares)),
        None => Sums::proportion(units, sum),
    }
}

fn number(wire: &Value) -> f64 {
    match wire["__float"].as_str() {
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        Some(other) => panic!("no number is called {other}"),
        None => wire.as_f64().unwrap(),
    }
}
