// What gbstats, GrowthBook's engine of statistics, answers (suites/gbstats/cases.json), on any JavaScript host.

const COUNT = 192;
const MESSAGES = { ZERO_NEGATIVE_VARIANCE: /no variance/, ZERO_NEGATIVE_BASELINE_VARIATION: /mean is zero/ };

/** One list of failures a case. `engine` is the full build. */
export function gbstats(engine, { cases }) {
  const results = cases.map((test, at) => ({ name: `${at}: ${test.test}`, faults: faults(engine, test) }));
  if (cases.length !== COUNT) results.push({ name: "count", faults: [`${cases.length} cases are not ${COUNT}`] });
  return results;
}

function faults(engine, test) {
  const { class: kind, args, result, kwargs } = test;
  const config = args[kind === "BanditsSimple" ? 2 : 1] ?? kwargs.config ?? {};
  try {
    const expected = kind === "BanditsSimple" ? bandit(engine, args[0], config, result) : compared(engine, kind, args[0], config, result);
    return expected.filter(([, ours, theirs]) => !near(ours, theirs)).map(([name, ours, theirs]) => `${name}: ${JSON.stringify(ours)} is not ${JSON.stringify(theirs)}`);
  } catch (error) {
    const message = MESSAGES[result.errorMessage ?? result.error_message];
    return message?.test(error.message) ? [] : [String(error)];
  }
}

function compared(engine, kind, strata, config, result) {
  if (result.errorMessage ?? result.error_message) result = { ...result, expected: "an error", point_estimate: "an error" };
  const effect = kind.startsWith("EffectMoments");
  const found = engine.compareVariations({
    strata: strata.map((pair) => pair.map((one) => statistic(one, kind === "EffectMoments"))),
    difference: config.difference_type === "absolute" ? "absolute" : "relative",
    post_stratify: kind === "EffectMomentsPostStratification" || config.post_stratify === true,
    method: method(kind, config),
  });
  if (effect) {
    return [
      ["point_estimate", found.estimate, result.point_estimate],
      ["standard_error", found.standard_error, result.standard_error],
      ["pairwise_sample_size", found.units, result.pairwise_sample_size],
    ];
  }
  return [
    ["expected", found.estimate, result.expected],
    ["ci", found.interval, result.ci],
    ...(kind === "EffectBayesianABTest"
      ? [["chanceToWin", found.chance_to_win, result.chanceToWin], ["risk", found.risk, result.risk]]
      : [["pValue", found.p_value, result.pValue]]),
  ];
}

function bandit(engine, arms, config, result) {
  const found = engine.banditWeights({
    arms: arms.map((arm) => statistic(arm)),
    seed: config.bandit_weights_seed,
    topTwo: config.top_two,
    lessIsBetter: config.inverse,
    floor: config.min_variation_weight,
  });
  return [["bandit_weights", found.weights, result.bandit_weights], ["best_arm_probabilities", found.best, result.best_arm_probabilities], ["ci", found.intervals, result.ci]];
}

function method(kind, { inverse, prior_effect: prior, prior_type: unit, sequential_tuning_parameter: tuned_for }) {
  if (kind.startsWith("EffectMoments")) return { kind: "effect" };
  if (kind === "EffectBayesianABTest") {
    const known = prior?.proper && { mean: number(prior.mean), variance: number(prior.variance), difference: unit === "absolute" ? "absolute" : "relative" };
    return { kind: "bayesian", less_is_better: inverse === true, ...(known ? { prior: known } : {}) };
  }
  const side = kind.includes("Greater") ? "greater" : kind.includes("Lesser") ? "less" : "both";
  return kind.startsWith("Sequential") ? { kind: "sequential", side, ...(tuned_for === undefined ? {} : { tuned_for }) } : { kind: "t_test", side };
}

/** `plain`: a covariate that is not followed yet is not followed at all. */
function statistic(given, plain = false) {
  const theta = given.theta ?? (plain ? 0 : undefined);
  const adjusted = theta === undefined ? {} : { theta };
  const ratio = (top, bottom, products) => ({ top: sums(given[top]), bottom: sums(given[bottom]), products: given[products] });
  switch (given.__type) {
    case "RatioStatistic":
      return { kind: "ratio", ...ratio("m_statistic", "d_statistic", "m_d_sum_of_products") };
    case "RegressionAdjustedStatistic":
      return { kind: "adjusted", after: sums(given.post_statistic), before: sums(given.pre_statistic), products: given.post_pre_sum_of_products, ...adjusted };
    case "RegressionAdjustedRatioStatistic":
      return {
        kind: "adjusted_ratio",
        after: ratio("m_statistic_post", "d_statistic_post", "m_post_d_post_sum_of_products"),
        before: ratio("m_statistic_pre", "d_statistic_pre", "m_pre_d_pre_sum_of_products"),
        tops: given.m_post_m_pre_sum_of_products,
        bottoms: given.d_post_d_pre_sum_of_products,
        top_bottom: given.m_post_d_pre_sum_of_products,
        bottom_top: given.m_pre_d_post_sum_of_products,
        ...adjusted,
      };
    case "QuantileStatistic":
      return { kind: "quantile", events: given.n, sampled: given.n_star, level: given.nu, value: given.quantile_hat, lower: given.quantile_lower, upper: given.quantile_upper };
    default:
      return { kind: "mean", ...sums(given) };
  }
}

const sums = ({ n, sum, sum_squares: squares }) => ({ units: n, sum, ...(squares === undefined ? {} : { squares }) });
const number = (given) => ({ inf: Infinity, "-inf": -Infinity })[given?.__float] ?? given;

function near(ours, theirs) {
  if (Array.isArray(theirs)) return theirs.length === ours?.length && theirs.every((one, at) => near(ours[at], one));
  const given = number(theirs);
  return ours === given || Math.abs(ours - given) <= 1e-9 * Math.max(Math.abs(given), 1);
}
