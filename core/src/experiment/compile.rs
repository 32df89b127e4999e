//! From GrowthBook's payload, and what Rapport adds to it, to compiled flags.

use super::HashVersion;
use super::experience::Spelled;
use super::flags::{
    Authored, Bandit, Effect, Experiment, Feature, Filter, Flags, Hashing, Leaf, Parent, Rollout,
    Rule, Sticky, Variation,
};
use super::page::{PageLike, PagePattern};
use super::ranges::{Namespace, Range, ranges};
use crate::targeting::{Compiler, Condition, Pattern, Value};

/// Something in a payload that nothing can be made of, or that does not do what it seems to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {reason}")]
pub struct FlagProblem {
    /// Where it stands, such as `features.banner.rules.0.condition.country.$regex`.
    pub at: String,
    pub reason: String,
}

/// Compiles a payload: `features`, `experiments`, `savedGroups`, `contextualBandits`, and Rapport's
/// `audiences` and `experiences`. What is wrong is reported and does nothing; the rest works.
pub fn compile_flags(payload: &Value<'_>) -> (Flags, Vec<FlagProblem>) {
    let (flags, problems, _) = compile(payload);
    (flags, problems)
}

/// And what the experiences would be without experiences, the most important first.
pub(super) fn compile(payload: &Value<'_>) -> (Flags, Vec<FlagProblem>, Vec<Spelled>) {
    let mut work = Work {
        compiler: Compiler::new(payload.member("savedGroups").unwrap_or(&Value::Null)),
        bandits: payload.member("contextualBandits").unwrap_or(&Value::Null),
        problems: Vec::new(),
        spelled: Vec::new(),
        path: Vec::new(),
    };
    let audiences = work.audiences(payload);
    let mut features = work.below("features", |work| {
        members(payload.member("features"))
            .iter()
            .map(|(key, feature)| work.below(key, |work| work.feature(key, feature)))
            .collect::<Vec<_>>()
    });
    let mut experiments = work.below("experiments", |work| {
        let each = items(payload.member("experiments")).iter().enumerate();
        each.map(|(at, authored)| work.below(&at.to_string(), |work| work.alone(authored)))
            .collect::<Vec<_>>()
    });
    let experiences = work.experiences(payload, &audiences, &mut features, &mut experiments);
    features.sort_unstable_by(|left, right| left.key.cmp(&right.key));
    let groups = work.compiler.groups.into_iter().map(|(_, members)| members).collect();
    let mut flags = Flags {
        attributes: work.compiler.attributes,
        groups,
        features,
        experiments,
        audiences,
        asks_audiences: work.compiler.asks_audiences,
        experiences,
    };
    for (number, experiment) in (0..).zip(flags.all_experiments()) {
        experiment.number = number;
    }
    (flags, work.problems, work.spelled)
}

/// Names of the attributes that exposures carry along.
pub(super) const CONTEXT: &str = "contextAttributes";

pub(super) struct Work<'p> {
    pub compiler: Compiler,
    bandits: &'p Value<'p>,
    pub problems: Vec<FlagProblem>,
    pub spelled: Vec<Spelled>,
    path: Vec<String>,
}

impl Work<'_> {
    pub fn below<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let done = work(self);
        self.path.pop();
        done
    }

    pub fn problem(&mut self, reason: impl Into<String>) {
        self.problems.push(FlagProblem { at: self.path.join("."), reason: reason.into() });
    }

    pub fn condition(&mut self, authored: Option<&Value<'_>>) -> Condition {
        let Some(authored) = authored.filter(|authored| authored.truthy()) else {
            return Condition::EVERYBODY;
        };
        let (condition, refusals) = self.compiler.condition(authored);
        for refusal in refusals {
            let at = if refusal.at.is_empty() { String::new() } else { format!(".{}", refusal.at) };
            self.problems.push(FlagProblem {
                at: format!("{}.condition{at}", self.path.join(".")),
                reason: refusal.reason,
            });
        }
        condition
    }

    fn feature(&mut self, key: &str, authored: &Value<'_>) -> Feature {
        let rules = self.below("rules", |work| {
            let each = items(authored.member("rules")).iter().enumerate();
            each.map(|(at, rule)| work.below(&at.to_string(), |work| work.rule(key, rule)))
                .collect()
        });
        let default = authored.member("defaultValue").cloned().unwrap_or_default().into_owned();
        Feature { key: key.into(), default, rules }
    }

    pub fn rule(&mut self, feature: &str, authored: &Value<'_>) -> Rule {
        let id = text(authored, "id").unwrap_or_default().into();
        let parents = self.parents(authored);
        if let Some(value) = authored.member("force") {
            let condition = self.condition(authored.member("condition"));
            let (filters, rollout) = (self.filters(authored), self.rollout(feature, authored));
            let value = value.clone().into_owned();
            let effect = Effect::Force { value, condition, rollout };
            return Rule { id, parents, filters, effect };
        }
        let variations =
            authored.member("variations").or_else(|| authored.member("contextualVariations"));
        let effect = match variations {
            Some(variations) => {
                Effect::Run(Box::new(self.experiment(feature, authored, variations)))
            }
            None => Effect::Nothing,
        };
        let filters = self.filters(authored);
        Rule { id, parents, filters, effect }
    }

    pub fn alone(&mut self, authored: &Value<'_>) -> Experiment {
        let none = Value::List(Vec::new());
        let variations = authored.member("variations").unwrap_or(&none);
        let key = text(authored, "key").unwrap_or_default().to_owned();
        if key.is_empty() {
            self.problem("an experiment needs a `key`");
        }
        let mut experiment = self.experiment(&key, authored, variations);
        // A page's experiments have no `contextualVariations` in GrowthBook's format.
        if experiment.bandit.is_none() {
            let weights = numbers(authored.member("weights"));
            experiment.bandit =
                self.bandit(authored, experiment.variations.len(), weights.as_deref());
        }
        experiment.parents = self.parents(authored);
        experiment
    }

    fn experiment(
        &mut self,
        feature: &str,
        authored: &Value<'_>,
        variations: &Value<'_>,
    ) -> Experiment {
        let key = text(authored, "key").filter(|key| !key.is_empty()).unwrap_or(feature);
        let variations = items(Some(variations));
        let meta = items(authored.member("meta"));
        let coverage = number(authored, "coverage").unwrap_or(1.0);
        let weights = numbers(authored.member("weights"));
        let shares = |weights: Option<&[f64]>| ranges(variations.len(), coverage, weights);
        let authored_ranges = authored.member("ranges").map(|ranges| range_list(ranges));
        for name in items(authored.member(CONTEXT)) {
            self.attribute(&name.to_text());
        }
        let contextual = authored.member("contextualVariations").is_some();
        let compiled = Experiment {
            number: 0,
            key: key.into(),
            hashing: self.hashing(key, authored),
            variations: variations
                .iter()
                .enumerate()
                .map(|(at, value)| variation(value, meta.get(at)))
                .collect(),
            ranges: authored_ranges.unwrap_or_else(|| shares(weights.as_deref())),
            filters: self.filters(authored),
            namespaces: namespaces(authored),
            condition: self.condition(authored.member("condition")),
            parents: Vec::new(),
            pages: self.pages(authored),
            active: authored.member("active").is_none_or(Value::truthy)
                && text(authored, "status").is_none_or(|status| status != "draft"),
            force: authored.member("force").map(|force| match force {
                Value::Number(at) if *at >= 0.0 => Some(*at as usize),
                _ => None,
            }),
            sticky: sticky(authored),
            bandit: contextual
                .then(|| self.bandit(authored, variations.len(), weights.as_deref()))
                .flatten(),
            keeps_query: authored.member("persistQueryString").is_some_and(Value::truthy),
            authored: Authored(echo(key, authored)),
        };
        self.check(&compiled, weights.as_deref());
        compiled
    }

    /// Says what of an experiment will not do what it seems to.
    fn check(&mut self, experiment: &Experiment, weights: Option<&[f64]>) {
        let count = experiment.variations.len();
        if count < 2 {
            self.problem("an experiment needs two variations; nobody is in this one");
        }
        if let Some(weights) = weights {
            let sum: f64 = weights.iter().sum();
            if weights.len() != count {
                self.problem(format!(
                    "there are {} weights for {count} variations; all count as equal",
                    weights.len()
                ));
            } else if !(0.99..=1.01).contains(&sum) {
                self.problem(format!("the weights sum to {sum}, not 1; all count as equal"));
            }
        }
        // What overlaps anything in a row overlaps its neighbour.
        let mut row: Vec<(usize, Range)> = experiment
            .ranges
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, one)| one.0 < one.1)
            .collect();
        row.sort_by(|(_, left), (_, right)| left.0.total_cmp(&right.0));
        let overlap = row.windows(2).find_map(|pair| match pair {
            [(left, one), (right, other)] if other.0 < one.1 => {
                Some((left.min(right), left.max(right)))
            }
            _ => None,
        });
        if let Some((first, second)) = overlap {
            self.problem(format!(
                "the ranges of variations {first} and {second} overlap; the first one gets the visitors"
            ));
        }
    }

    /// An attribute's number; one that nobody has where there can be no such attribute.
    fn attribute(&mut self, name: &str) -> u16 {
        self.compiler.attribute(name).unwrap_or_else(|reason| {
            self.problem(reason);
            u16::MAX
        })
    }

    fn hashing(&mut self, seed: &str, authored: &Value<'_>) -> Hashing {
        let name = text(authored, "hashAttribute").filter(|name| !name.is_empty());
        let fallback = text(authored, "fallbackAttribute").filter(|name| !name.is_empty());
        let version = number(authored, "hashVersion").filter(|version| *version != 0.0);
        let version = HashVersion::numbered(version.unwrap_or(1.0) as u32);
        if version.is_none() {
            self.problem("`hashVersion` is 1, 2 or 3; nobody is in this one");
        }
        Hashing {
            attribute: self.attribute(name.unwrap_or("id")),
            fallback: fallback.map(|name| self.attribute(name)),
            seed: text(authored, "seed").filter(|seed| !seed.is_empty()).unwrap_or(seed).into(),
            version,
        }
    }

    fn rollout(&mut self, feature: &str, authored: &Value<'_>) -> Option<Rollout> {
        let range = authored.member("range").and_then(range);
        let coverage = number(authored, "coverage");
        let (range, end_included) = match (range, coverage) {
            (Some(range), _) => (range, false),
            (None, None) => return None,
            // Nobody is in no share at all, although the first place is 0.
            (None, Some(0.0)) => (Range(0.0, 0.0), false),
            (None, Some(coverage)) => (Range(0.0, coverage), true),
        };
        Some(Rollout { hashing: self.hashing(feature, authored), range, end_included })
    }

    fn filters(&mut self, authored: &Value<'_>) -> Vec<Filter> {
        items(authored.member("filters"))
            .iter()
            .map(|filter| {
                let version = number(filter, "hashVersion").filter(|version| *version != 0.0);
                let name = text(filter, "attribute").filter(|name| !name.is_empty());
                Filter {
                    seed: text(filter, "seed").unwrap_or_default().into(),
                    attribute: self.attribute(name.unwrap_or("id")),
                    version: HashVersion::numbered(version.unwrap_or(2.0) as u32),
                    ranges: filter.member("ranges").map(range_list).unwrap_or_default(),
                }
            })
            .collect()
    }

    fn parents(&mut self, authored: &Value<'_>) -> Vec<Parent> {
        let each = items(authored.member("parentConditions")).iter().enumerate();
        let each = each.map(|(at, parent)| {
            self.below(&format!("parentConditions.{at}"), |work| {
                // What is asked of a feature is asked of an object: no attribute of the visitor.
                let condition = parent.member("condition").filter(|condition| condition.truthy());
                let (condition, refusals) = condition.map_or_else(
                    || (Condition::EVERYBODY, Vec::new()),
                    |condition| work.compiler.item_condition(condition),
                );
                refusals.into_iter().for_each(|refusal| work.problem(refusal.to_string()));
                Parent {
                    feature: text(parent, "id").unwrap_or_default().into(),
                    condition,
                    gate: parent.member("gate").is_some_and(Value::truthy),
                }
            })
        });
        each.collect()
    }

    fn pages(&mut self, authored: &Value<'_>) -> Vec<PagePattern> {
        let mut pages = Vec::new();
        for page in items(authored.member("urlPatterns")) {
            let pattern = text(page, "pattern").unwrap_or_default();
            let like = match text(page, "type") {
                Some("regex") => match Pattern::compile(pattern, false) {
                    Ok(pattern) => PageLike::Pattern(pattern),
                    Err(refusal) => {
                        self.problem(refusal.to_string());
                        PageLike::Nothing
                    }
                },
                _ => PageLike::Simple(pattern.into()),
            };
            let include = page.member("include").is_none_or(Value::truthy);
            pages.push(PagePattern { include, like });
        }
        pages
    }

    /// The bandit that shares out what has `count` variations.
    fn bandit(
        &mut self,
        authored: &Value<'_>,
        count: usize,
        weights: Option<&[f64]>,
    ) -> Option<Bandit> {
        let name = text(authored, "contextualBanditRef")?;
        let Some(bandit) = self.bandits.member(name) else {
            self.problem(format!(
                "there is no contextual bandit `{name}`; the rule's own weights count"
            ));
            return None;
        };
        let bandit = bandit.clone();
        let coverage = number(authored, "coverage").unwrap_or(1.0);
        let shares = |weights: Option<&[f64]>| ranges(count, coverage, weights);
        let mut leaves: Vec<Leaf> = items(bandit.member("contexts"))
            .iter()
            .map(|leaf| {
                let weights = numbers(leaf.member("weights")).unwrap_or_default();
                Leaf {
                    id: leaf.member("leafId").cloned().unwrap_or_default().into_owned(),
                    condition: self.condition(leaf.member("condition")),
                    ranges: shares(Some(&weights)),
                    weights,
                }
            })
            .collect();
        let weights = weights.unwrap_or_default().to_vec();
        leaves.push(Leaf {
            id: Value::Number(-1.0),
            condition: Condition::EVERYBODY,
            ranges: shares(Some(&weights)),
            weights,
        });
        let version = bandit.member("banditVersion").map(|version| version.clone().into_owned());
        Some(Bandit { version, leaves })
    }
}

fn variation(value: &Value<'_>, meta: Option<&Value<'_>>) -> Variation {
    let named = |name: &str| meta.and_then(|meta| text(meta, name)).map(Box::from);
    Variation {
        value: value.clone().into_owned(),
        key: named("key"),
        name: named("name"),
        passthrough: meta.and_then(|meta| meta.member("passthrough")).is_some_and(Value::truthy),
    }
}

fn sticky(authored: &Value<'_>) -> Option<Sticky> {
    let version = |name: &str| number(authored, name).unwrap_or_default() as u32;
    let disabled = authored.member("disableStickyBucketing").is_some_and(Value::truthy);
    (!disabled)
        .then(|| Sticky { version: version("bucketVersion"), least: version("minBucketVersion") })
}

/// `namespace` is GrowthBook's: one; `namespaces` holds several.
fn namespaces(authored: &Value<'_>) -> Vec<Namespace> {
    let one = authored.member("namespace").into_iter();
    let several = items(authored.member("namespaces"));
    one.chain(several)
        .filter_map(|namespace| match namespace {
            Value::List(parts) => {
                let [Value::Text(seed), Value::Number(start), Value::Number(end)] =
                    parts.as_slice()
                else {
                    return None;
                };
                Some(Namespace { seed: Box::from(&**seed), range: Range(*start, *end) })
            }
            _ => None,
        })
        .collect()
}

/// The experiment as whoever tracks exposures gets to see it.
fn echo(key: &str, authored: &Value<'_>) -> Value<'static> {
    const SHOWN: [&str; 20] = [
        "variations",
        "coverage",
        "weights",
        "hashAttribute",
        "fallbackAttribute",
        "disableStickyBucketing",
        "bucketVersion",
        "minBucketVersion",
        "namespace",
        "meta",
        "ranges",
        "name",
        "phase",
        "seed",
        "hashVersion",
        "filters",
        "condition",
        "manual",
        "persistQueryString",
        CONTEXT,
    ];
    let mut shown = vec![("key".into(), Value::Text(key.to_owned().into()))];
    for (name, value) in members(Some(authored)) {
        let name = if name == "contextualVariations" { "variations" } else { name };
        if SHOWN.contains(&name) {
            shown.push((name.to_owned().into(), value.clone().into_owned()));
        }
    }
    Value::map(shown)
}

pub(super) fn text<'a>(value: &'a Value<'_>, name: &str) -> Option<&'a str> {
    if let Some(Value::Text(text)) = value.member(name) { Some(text) } else { None }
}

pub(super) fn number(value: &Value<'_>, name: &str) -> Option<f64> {
    if let Some(Value::Number(number)) = value.member(name) { Some(*number) } else { None }
}

fn numbers(value: Option<&Value<'_>>) -> Option<Vec<f64>> {
    match value {
        Some(Value::List(items)) => Some(items.iter().map(Value::to_number).collect()),
        _ => None,
    }
}

fn range(value: &Value<'_>) -> Option<Range> {
    match numbers(Some(value))?.as_slice() {
        [start, end] => Some(Range(*start, *end)),
        _ => None,
    }
}

fn range_list(value: &Value<'_>) -> Vec<Range> {
    items(Some(value)).iter().map(|item| range(item).unwrap_or(Range(0.0, 0.0))).collect()
}

pub(super) fn items<'v, 'a>(value: Option<&'v Value<'a>>) -> &'v [Value<'a>] {
    if let Some(Value::List(items)) = value { items } else { &[] }
}

pub(super) fn members<'v, 'a>(
    value: Option<&'v Value<'a>>,
) -> &'v [(std::borrow::Cow<'a, str>, Value<'a>)] {
    if let Some(Value::Map(members)) = value { members } else { &[] }
}
