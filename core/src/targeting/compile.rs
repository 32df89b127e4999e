//! From conditions as people write them to compiled ones.

use super::condition::Test;
use super::letters::Letters;
use super::network::Network;
use super::operator::{Operator, Relation};
use super::own::Own;
use super::pattern::Pattern;
use super::{Condition, Members, Value, version};
use crate::event::Millis;

/// Conditions nest at most this deep.
pub(super) const MAX_DEPTH: usize = 32;
/// A bundle's conditions read at most this many attributes.
const MAX_ATTRIBUTES: usize = 1024;

/// Something in a condition that nothing can be made of. What is refused holds of nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {reason}")]
pub struct Refusal {
    /// Where it stands in the condition, such as `$and.0.country.$regex`.
    pub at: String,
    pub reason: String,
}

/// Compiles conditions that share attributes and saved groups.
#[derive(Debug, Default)]
pub struct Compiler {
    /// The attributes that the conditions read; their numbers are their places.
    pub attributes: Vec<String>,
    /// The saved groups, with their names.
    pub groups: Vec<(String, Members)>,
    /// Whether a condition asked for the visitor's audiences.
    pub asks_audiences: bool,
    refusals: Vec<Refusal>,
    /// Where the compiler is in the condition.
    path: Vec<String>,
}

impl Compiler {
    /// With these saved groups; what is no list is an empty group.
    pub fn new(groups: &Value<'_>) -> Self {
        let attributes = Own::NAMES.map(str::to_owned).into();
        let mut compiler = Self { attributes, ..Self::default() };
        if let Value::Map(groups) = groups {
            for (name, members) in groups {
                let Value::List(members) = members else { continue };
                compiler.groups.push((name.clone().into_owned(), Members::new(members)));
            }
        }
        compiler
    }

    /// Compiles a condition, and says what of it was refused.
    pub fn condition(&mut self, authored: &Value<'_>) -> (Condition, Vec<Refusal>) {
        let compiled = self.whole(authored, true);
        self.path.clear();
        (compiled, core::mem::take(&mut self.refusals))
    }

    /// The same of a condition on an object that is no visitor: its members are named by their paths.
    pub fn item_condition(&mut self, authored: &Value<'_>) -> (Condition, Vec<Refusal>) {
        let compiled = self.whole(authored, false);
        self.path.clear();
        (compiled, core::mem::take(&mut self.refusals))
    }

    /// The number of an attribute; it has one from now on.
    ///
    /// # Errors
    /// Says why there can be no such attribute.
    pub fn attribute(&mut self, name: &str) -> Result<u16, String> {
        let known = self.attributes.iter().position(|known| known == name);
        self.asks_audiences |= known == Some(Own::Audiences as usize);
        let at = known.or_else(|| {
            (self.attributes.len() < MAX_ATTRIBUTES).then(|| {
                self.attributes.push(name.to_owned());
                self.attributes.len() - 1
            })
        });
        at.and_then(|at| u16::try_from(at).ok())
            .ok_or_else(|| "at most 1,024 attributes can be read".to_owned())
    }

    fn refuse(&mut self, reason: impl Into<String>) {
        self.refusals.push(Refusal { at: self.path.join("."), reason: reason.into() });
    }

    fn below<T>(&mut self, name: impl Into<String>, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.into());
        let done = work(self);
        self.path.pop();
        done
    }

    fn never(&mut self, reason: impl Into<String>) -> Condition {
        self.refuse(reason);
        Condition::Not(Box::new(Condition::EVERYBODY))
    }

    fn whole(&mut self, authored: &Value<'_>, visitor: bool) -> Condition {
        let Value::Map(members) = authored else {
            return self.never("a condition is an object, such as {\"country\": \"DE\"}");
        };
        if self.path.len() > MAX_DEPTH {
            return self.never("the condition nests too deep; at most 32 levels can be judged");
        }
        let mut all: Vec<Condition> = members
            .iter()
            .map(|(name, value)| {
                self.below(&**name, |compiler| compiler.member(name, value, visitor))
            })
            .collect();
        if all.len() == 1 { all.remove(0) } else { Condition::All(all) }
    }

    fn member(&mut self, name: &str, value: &Value<'_>, visitor: bool) -> Condition {
        match name {
            "$and" => Condition::All(self.several(value, visitor)),
            "$or" => Condition::Any(self.several(value, visitor)),
            "$nor" => Condition::Not(Box::new(Condition::Any(self.several(value, visitor)))),
            "$not" => Condition::Not(Box::new(self.whole(value, visitor))),
            _ => {
                let test = self.test(value, false);
                let (first, rest) = name.split_once('.').unwrap_or((name, ""));
                if !visitor {
                    return Condition::At { attribute: None, path: name.into(), test };
                }
                match self.attribute(first) {
                    Ok(number) => {
                        Condition::At { attribute: Some(number), path: rest.into(), test }
                    }
                    Err(reason) => self.never(reason),
                }
            }
        }
    }

    fn several(&mut self, authored: &Value<'_>, visitor: bool) -> Vec<Condition> {
        let Value::List(items) = authored else {
            return vec![self.never("this takes a list of conditions")];
        };
        let each = items.iter().enumerate().map(|(index, item)| {
            self.below(index.to_string(), |compiler| compiler.whole(item, visitor))
        });
        each.collect()
    }

    fn test(&mut self, authored: &Value<'_>, any_case: bool) -> Test {
        if self.path.len() > MAX_DEPTH {
            self.refuse("the condition nests too deep; at most 32 levels can be judged");
            return Test::All(vec![Operator::Never]);
        }
        match authored {
            Value::Map(members) if is_operators(members) => {
                let each = members.iter().map(|(name, operand)| {
                    self.below(&**name, |compiler| compiler.operator(name, operand))
                });
                Test::All(each.collect())
            }
            Value::Text(text) if any_case => Test::IsInAnyCase(Letters::of(text)),
            _ => Test::Is(authored.clone().into_owned()),
        }
    }

    fn operator(&mut self, name: &str, operand: &Value<'_>) -> Operator {
        let version = |relation| Operator::Version {
            relation,
            version: version::padded_value(operand).into(),
        };
        let compares =
            |relation| Operator::Compares { relation, value: operand.clone().into_owned() };
        match name {
            "$eq" | "$ne" => {
                Operator::Same { value: operand.clone().into_owned(), negated: name == "$ne" }
            }
            "$lt" => compares(Relation::Less),
            "$lte" => compares(Relation::AtMost),
            "$gt" => compares(Relation::Greater),
            "$gte" => compares(Relation::AtLeast),
            "$veq" => version(Relation::Equal),
            "$vne" => version(Relation::NotEqual),
            "$vlt" => version(Relation::Less),
            "$vlte" => version(Relation::AtMost),
            "$vgt" => version(Relation::Greater),
            "$vgte" => version(Relation::AtLeast),
            "$exists" => Operator::Exists(operand.truthy()),
            "$in" => self.list(operand, false, false),
            "$nin" => self.list(operand, false, true),
            "$ini" => self.list(operand, true, false),
            "$nini" => self.list(operand, true, true),
            "$inGroup" => self.group(operand, false),
            "$notInGroup" => self.group(operand, true),
            "$not" => Operator::Not(Box::new(self.test(operand, false))),
            "$size" => Operator::Size(Box::new(self.test(operand, false))),
            "$elemMatch" => match operand {
                Value::Map(members) if !is_operators(members) => {
                    Operator::SomeItemHas(Box::new(self.whole(operand, false)))
                }
                _ => Operator::SomeItem(Box::new(self.test(operand, false))),
            },
            "$all" => self.each(operand, false),
            "$alli" => self.each(operand, true),
            "$regex" => self.pattern(operand, false, false),
            "$regexi" => self.pattern(operand, true, false),
            "$notRegex" => self.pattern(operand, false, true),
            "$notRegexi" => self.pattern(operand, true, true),
            "$type" => match operand {
                Value::Text(kind) => Operator::Kind(Box::from(&**kind)),
                _ => self.never_operator("this takes the name of a type, such as \"string\""),
            },
            "$cidr" => self.networks(operand, false),
            "$notCidr" => self.networks(operand, true),
            "$before" => self.time(operand, false),
            "$after" => self.time(operand, true),
            _ => self.never_operator("nobody knows this operator; it holds of nobody"),
        }
    }

    fn never_operator(&mut self, reason: impl Into<String>) -> Operator {
        self.refuse(reason);
        Operator::Never
    }

    fn list(&mut self, operand: &Value<'_>, any_case: bool, negated: bool) -> Operator {
        let Value::List(items) = operand else {
            return self.never_operator("this takes a list of values");
        };
        let members = Members::new(items);
        if !any_case {
            return Operator::In { members, negated };
        }
        let texts = members.texts.iter().map(|text| Letters::of(text)).collect();
        Operator::InAnyCase { texts, members: Members { texts: Vec::new(), ..members }, negated }
    }

    fn group(&mut self, operand: &Value<'_>, negated: bool) -> Operator {
        let name = operand.to_text();
        let group = self.groups.iter().position(|(known, _)| *known == name);
        if group.is_none() {
            self.refuse(format!("there is no saved group `{name}`; it counts as empty"));
        }
        Operator::InGroup { group: group.and_then(|at| u16::try_from(at).ok()), negated }
    }

    fn each(&mut self, operand: &Value<'_>, any_case: bool) -> Operator {
        let Value::List(items) = operand else {
            return self.never_operator("this takes a list of values");
        };
        let tests = items.iter().enumerate().map(|(index, item)| {
            self.below(index.to_string(), |compiler| compiler.test(item, any_case))
        });
        Operator::EachFound(tests.collect())
    }

    fn pattern(&mut self, operand: &Value<'_>, any_case: bool, negated: bool) -> Operator {
        let Value::Text(source) = operand else {
            return self.never_operator("this takes a regular expression as text");
        };
        match Pattern::compile(source, any_case) {
            Ok(pattern) => Operator::Matches { pattern, negated },
            Err(refusal) => self.never_operator(refusal.to_string()),
        }
    }

    fn networks(&mut self, operand: &Value<'_>, negated: bool) -> Operator {
        let texts = match operand {
            Value::List(items) => items.as_slice(),
            one => core::slice::from_ref(one),
        };
        let mut networks = Vec::new();
        for text in texts {
            match text {
                Value::Text(text) if Network::parse(text).is_some() => {
                    networks.extend(Network::parse(text));
                }
                _ => {
                    return self.never_operator(format!(
                        "`{}` is no network; write one such as 10.0.0.0/8 or 2001:db8::/32",
                        text.to_text()
                    ));
                }
            }
        }
        Operator::InNetwork { networks, negated }
    }

    fn time(&mut self, operand: &Value<'_>, after: bool) -> Operator {
        let at = match operand {
            Value::Text(text) => Millis::parse(text),
            Value::Number(millis) => Some(Millis(*millis as i64)),
            _ => None,
        };
        at.map(|at| Operator::Time { at, after }).unwrap_or_else(|| {
            self.never_operator("this takes a time such as 2026-11-23T09:00:00Z")
        })
    }
}

/// Whether the members of a map are operators, all of them.
fn is_operators(members: &[(std::borrow::Cow<'_, str>, Value<'_>)]) -> bool {
    !members.is_empty() && members.iter().all(|(name, _)| name.starts_with('$'))
}
