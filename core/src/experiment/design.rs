//! Multivariate experiments: several factors at once, all combinations of them or a well-chosen
//! fraction, and what each factor did (Box, Hunter & Hunter 2005, chapters 5 and 6).

use thiserror::Error;

use crate::stats::{Effect, EffectError, Statistic};

/// Combinations of factors that visitors are split over: a run is a variation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    /// How many levels each factor has; the first is as things are now.
    levels: Vec<usize>,
    runs: Vec<Vec<usize>>,
    /// Products of factors that are the same in every run: what a fraction cannot tell from nothing.
    defining: Vec<Word>,
}

/// Factors that are told together: a main effect is a term of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(Vec<(usize, usize)>);

/// What a term did, and what else would have looked the same.
#[derive(Debug, Clone, PartialEq)]
pub struct TermEffect {
    pub term: Term,
    /// In the metric's unit. Of one factor: its mean at the level less its mean at the first one.
    /// Of several: half the difference that the last one makes to the effect of the others.
    pub effect: Effect,
    /// Terms whose effects are added to this (false: subtracted), shortest first.
    pub aliases: Vec<(bool, Term)>,
}

/// Why there is no such design.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DesignError {
    #[error("a design has 1 to {MOST_FACTORS} factors, not {0}")]
    Factors(usize),
    #[error("factor {0} needs at least two levels")]
    Levels(char),
    #[error("the design has more than {MOST_RUNS} runs; take a fraction")]
    Runs,
    #[error(
        "“{0}” is no generator; write the next factor as a product of the first, as D=ABC or E=-AB"
    )]
    Generator(String),
    #[error("factors {0} and {1} would always change together; choose another generator")]
    Same(char, char),
    #[error("there are {runs} runs and {cells} results; pass one a run, in their order")]
    Cells { runs: usize, cells: usize },
    #[error(transparent)]
    Effect(#[from] EffectError),
}

/// Letters but I, which stands for the mean.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNOPQRSTUVWXYZ";
const MOST_FACTORS: usize = LETTERS.len();
const MOST_RUNS: usize = 4096;

impl Design {
    /// All combinations; the first factor changes fastest.
    ///
    /// # Errors
    /// No factors or too many, a factor of less than two levels, more than 4,096 runs.
    pub fn full(levels: &[usize]) -> Result<Design, DesignError> {
        if levels.is_empty() || levels.len() > MOST_FACTORS {
            return Err(DesignError::Factors(levels.len()));
        }
        let mut runs = 1_usize;
        for (factor, &levels) in levels.iter().enumerate() {
            if levels < 2 {
                return Err(DesignError::Levels(Design::letter(factor)));
            }
            runs = runs.saturating_mul(levels);
        }
        if runs > MOST_RUNS {
            return Err(DesignError::Runs);
        }
        let run = |mut number: usize| {
            let place = |levels: &usize| {
                let level = number % levels;
                number /= levels;
                level
            };
            levels.iter().map(place).collect()
        };
        Ok(Design { levels: levels.to_vec(), runs: (0..runs).map(run).collect(), defining: vec![] })
    }

    /// All combinations of `base` factors of two levels; each of the `generators` makes the next
    /// factor of them: `Design::fraction(3, &["D=ABC"])` is the half of four factors, 2⁴⁻¹.
    ///
    /// # Errors
    /// As [`Design::full`]; a generator that cannot be read, or that repeats another factor.
    pub fn fraction(base: usize, generators: &[&str]) -> Result<Design, DesignError> {
        let factors = base + generators.len();
        if factors > MOST_FACTORS {
            return Err(DesignError::Factors(factors));
        }
        let mut design = Design::full(&vec![2; base])?;
        let mut words: Vec<Word> = (0..base).map(|factor| Word::of(&[factor])).collect();
        for (at, generator) in generators.iter().enumerate() {
            let word = read_generator(generator, base + at, base)
                .ok_or_else(|| DesignError::Generator((*generator).to_owned()))?;
            if let Some(same) = words.iter().position(|other| other.factors == word.factors) {
                return Err(DesignError::Same(Design::letter(same), Design::letter(base + at)));
            }
            words.push(word);
            for run in &mut design.runs {
                let minus = word.sign(run) != word.plus;
                run.push(usize::from(!minus));
            }
            let own = word.times(Word::of(&[base + at]));
            let products: Vec<Word> =
                design.defining.iter().map(|other| other.times(own)).collect();
            design.defining.push(own);
            design.defining.extend(products);
        }
        design.levels = vec![2; factors];
        design.defining.sort_by_key(|word| (word.order(), word.factors));
        Ok(design)
    }

    /// How a factor is called in terms.
    #[must_use]
    pub fn letter(factor: usize) -> char {
        LETTERS.get(factor).map_or('?', |letter| char::from(*letter))
    }

    /// The level of every factor, run by run.
    #[must_use]
    pub fn runs(&self) -> &[Vec<usize>] {
        &self.runs
    }

    /// Length of the shortest product that never changes: at III main effects look like
    /// interactions of two, at IV like those of three, at V interactions of two are apart too.
    /// `None`: everything is apart.
    #[must_use]
    pub fn resolution(&self) -> Option<u32> {
        self.defining.iter().map(Word::order).min()
    }

    /// Groups of terms of at most `order` factors that cannot be told apart, as "AB = CD = -EF",
    /// and "I = ABCD" for what looks like the mean.
    #[must_use]
    pub fn aliasing(&self, order: usize) -> Vec<String> {
        let mut report = Vec::new();
        if !self.defining.is_empty() {
            report.push(line(
                "I".to_owned(),
                self.defining.iter().map(|word| (word.plus, word.term())),
            ));
        }
        for term in self.terms(order) {
            let aliases = self.aliases(&term, order);
            if aliases.first().is_some_and(|(_, first)| term.stands_before(first)) {
                report.push(line(term.to_string(), aliases.into_iter()));
            }
        }
        report
    }

    /// What every term of at most `order` factors did, from one result a run; of terms that cannot
    /// be told apart only the first.
    ///
    /// # Errors
    /// Another number of results than of runs; results without variance.
    pub fn effects(
        &self,
        cells: &[Statistic],
        order: usize,
    ) -> Result<Vec<TermEffect>, DesignError> {
        if cells.len() != self.runs.len() {
            return Err(DesignError::Cells { runs: self.runs.len(), cells: cells.len() });
        }
        let mut effects = Vec::new();
        for term in self.terms(order) {
            let aliases = self.aliases(&term, order);
            let shown = aliases.first().is_none_or(|(_, first)| term.stands_before(first));
            let like_the_mean = self.defining.iter().any(|word| word.term() == term);
            if shown && !like_the_mean {
                let effect = contrast(cells, &self.coefficients(&term))?;
                effects.push(TermEffect { term, effect, aliases });
            }
        }
        Ok(effects)
    }

    /// Terms of 1 to `order` factors, short ones first.
    fn terms(&self, order: usize) -> Vec<Term> {
        let mut terms: Vec<Term> = vec![Term(Vec::new())];
        let mut all = Vec::new();
        for _ in 0..order.min(self.levels.len()) {
            let mut longer = Vec::new();
            for term in &terms {
                let next = term.0.last().map_or(0, |(factor, _)| factor + 1);
                for factor in next..self.levels.len() {
                    for level in 1..self.levels[factor] {
                        let mut parts = term.0.clone();
                        parts.push((factor, level));
                        longer.push(Term(parts));
                    }
                }
            }
            all.extend(longer.iter().cloned());
            terms = longer;
        }
        all
    }

    fn aliases(&self, term: &Term, order: usize) -> Vec<(bool, Term)> {
        let word = Word::of(&term.0.iter().map(|(factor, _)| *factor).collect::<Vec<_>>());
        let mut aliases: Vec<(bool, Term)> = self
            .defining
            .iter()
            .map(|defining| defining.times(word))
            .filter(|alias| alias.factors != 0 && alias.order() as usize <= order)
            .map(|alias| (alias.plus, alias.term()))
            .collect();
        aliases.sort_by_key(|(_, term)| (term.0.len(), term.0.clone()));
        aliases
    }

    /// What each run's mean is multiplied by, to give the term's effect.
    fn coefficients(&self, term: &Term) -> Vec<f64> {
        let matching = |run: &&Vec<usize>| {
            term.0.iter().all(|&(factor, level)| run[factor] == level || run[factor] == 0)
        };
        let runs = self.runs.iter().filter(matching).count() as f64;
        let each = 2.0 / runs;
        self.runs
            .iter()
            .map(|run| {
                term.0.iter().fold(each, |coefficient, &(factor, level)| match run[factor] {
                    at if at == level => coefficient,
                    0 => -coefficient,
                    _ => 0.0,
                })
            })
            .collect()
    }
}

impl Term {
    /// Factor and level, both from 0; of factors with two levels the level is 1.
    #[must_use]
    pub fn parts(&self) -> &[(usize, usize)] {
        &self.0
    }

    fn stands_before(&self, other: &Term) -> bool {
        (self.0.len(), &self.0) < (other.0.len(), &other.0)
    }
}

/// "AB"; a level above the second is named: "A[3]B".
impl core::fmt::Display for Term {
    fn fmt(&self, to: &mut core::fmt::Formatter) -> core::fmt::Result {
        for &(factor, level) in &self.0 {
            write!(to, "{}", Design::letter(factor))?;
            if level > 1 {
                write!(to, "[{}]", level + 1)?;
            }
        }
        Ok(())
    }
}

/// A product of factors of two levels, a bit a factor; −1 times it where `plus` is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    factors: u32,
    plus: bool,
}

impl Word {
    fn of(factors: &[usize]) -> Word {
        Word { factors: factors.iter().fold(0, |bits, factor| bits | 1 << factor), plus: true }
    }

    /// A factor twice is 1.
    fn times(self, other: Word) -> Word {
        Word { factors: self.factors ^ other.factors, plus: self.plus == other.plus }
    }

    fn order(&self) -> u32 {
        self.factors.count_ones()
    }

    fn has(&self, factor: usize) -> bool {
        self.factors >> factor & 1 == 1
    }

    /// Whether the product of the factors, without its sign, is +1 in a run.
    fn sign(&self, run: &[usize]) -> bool {
        run.iter().enumerate().filter(|(factor, level)| self.has(*factor) && **level == 0).count()
            % 2
            == 0
    }

    fn term(&self) -> Term {
        Term(
            (0..MOST_FACTORS)
                .filter(|factor| self.has(*factor))
                .map(|factor| (factor, 1))
                .collect(),
        )
    }
}

/// "D=ABC": the factor that comes next, as a product of base factors, each once.
fn read_generator(text: &str, next: usize, base: usize) -> Option<Word> {
    let (name, product) = text.split_once('=')?;
    let (plus, product) = match product.trim().strip_prefix('-') {
        Some(product) => (false, product),
        None => (true, product.trim()),
    };
    let mut word = Word { factors: 0, plus };
    for part in product.bytes() {
        let factor = LETTERS[..base].iter().position(|letter| *letter == part)?;
        if word.has(factor) {
            return None;
        }
        word.factors |= 1 << factor;
    }
    let right = name.trim().chars().eq([Design::letter(next)]);
    (right && word.factors != 0).then_some(word)
}

fn line(first: String, aliases: impl Iterator<Item = (bool, Term)>) -> String {
    aliases.fold(first, |line, (plus, term)| {
        let sign = if plus { "" } else { "-" };
        format!("{line} = {sign}{term}")
    })
}

/// Σ coefficient · mean, and how well it is known.
fn contrast(cells: &[Statistic], coefficients: &[f64]) -> Result<Effect, EffectError> {
    let (mut estimate, mut variance, mut spread, mut units) = (0.0, 0.0, 0.0, 0);
    for (cell, coefficient) in cells.iter().zip(coefficients).filter(|(_, c)| **c != 0.0) {
        let n = cell.units() as f64;
        let own = coefficient * coefficient * cell.variance() / n;
        estimate += coefficient * cell.mean();
        variance += own;
        spread += own * own / (n - 1.0);
        units += cell.units();
    }
    if variance.is_nan() || variance <= 0.0 {
        return Err(EffectError::NoVariance);
    }
    Ok(Effect {
        estimate,
        standard_error: variance.sqrt(),
        units,
        freedom: variance * variance / spread,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Sums;

    /// Two visitors a run, one above and one below what the book prints.
    fn cells(means: &[f64]) -> Vec<Statistic> {
        means.iter().map(|mean| Statistic::Mean(Sums::of([mean - 1.0, mean + 1.0]))).collect()
    }

    fn effects(design: &Design, means: &[f64], order: usize) -> Vec<(String, f64)> {
        let effects = design.effects(&cells(means), order).unwrap();
        effects.iter().map(|found| (found.term.to_string(), found.effect.estimate)).collect()
    }

    fn named(effects: &[(&str, f64)]) -> Vec<(String, f64)> {
        effects.iter().map(|(term, effect)| ((*term).to_owned(), *effect)).collect()
    }

    // Box, Hunter & Hunter: the pilot plant (temperature, concentration, catalyst).
    #[test]
    fn the_pilot_plant_gives_the_effects_of_the_book() {
        let design = Design::full(&[2, 2, 2]).unwrap();
        let found = effects(&design, &[60.0, 72.0, 54.0, 68.0, 52.0, 83.0, 45.0, 80.0], 3);
        assert_eq!(
            found,
            named(&[
                ("A", 23.0),
                ("B", -5.0),
                ("C", 1.5),
                ("AB", 1.5),
                ("AC", 10.0),
                ("BC", 0.0),
                ("ABC", 0.5),
            ])
        );
        assert_eq!(design.resolution(), None);
        assert!(design.aliasing(3).is_empty());
    }

    // Box, Hunter & Hunter: cycling up a hill, seven factors in eight runs.
    #[test]
    fn the_bicycle_gives_the_effects_of_the_book() {
        let design = Design::fraction(3, &["D=AB", "E=AC", "F=BC", "G=ABC"]).unwrap();
        assert_eq!((design.runs().len(), design.resolution()), (8, Some(3)));
        let found = effects(&design, &[69.0, 52.0, 60.0, 83.0, 71.0, 50.0, 59.0, 88.0], 2);
        assert_eq!(
            found,
            named(&[
                ("A", 3.5),
                ("B", 12.0),
                ("C", 1.0),
                ("D", 22.5),
                ("E", 0.5),
                ("F", 1.0),
                ("G", 2.5),
            ])
        );
        let report = design.aliasing(2);
        assert_eq!(report.len(), 8);
        assert_eq!(report[1], "A = BD = CE = FG");
        assert_eq!(report[4], "D = AB = CG = EF");
        assert!(report[0].starts_with("I = ABD = "), "{}", report[0]);
        assert_eq!(report[0].split(" = ").count(), 16);
    }

    #[test]
    fn half_of_four_factors_mixes_pairs_with_pairs() {
        let design = Design::fraction(3, &["D=ABC"]).unwrap();
        assert_eq!(design.resolution(), Some(4));
        assert_eq!(design.runs()[1], [1, 0, 0, 1]);
        assert_eq!(design.aliasing(2), ["I = ABCD", "AB = CD", "AC = BD", "AD = BC"]);
        let other = Design::fraction(3, &["D=-ABC"]).unwrap();
        assert_eq!(other.runs()[1], [1, 0, 0, 0]);
        assert_eq!(other.aliasing(3)[..3], ["I = -ABCD", "A = -BCD", "B = -ACD"]);
    }

    #[test]
    fn a_fraction_estimates_what_its_aliases_add_up_to() {
        // y = 10 + 2 A + 3 AB − CD with factors at ±1: effects are twice the coefficients.
        for (generator, expected) in [("D=ABC", 4.0), ("D=-ABC", 8.0)] {
            let design = Design::fraction(3, &[generator]).unwrap();
            let means: Vec<f64> = design
                .runs()
                .iter()
                .map(|run| {
                    let [a, b, c, d] = [0, 1, 2, 3].map(|at| if run[at] == 1 { 1.0 } else { -1.0 });
                    10.0 + 2.0 * a + 3.0 * a * b - c * d
                })
                .collect();
            let found = effects(&design, &means, 2);
            let of = |term: &str| found.iter().find(|(name, _)| name == term).unwrap().1;
            assert_eq!((of("A"), of("B"), of("AB")), (4.0, 0.0, expected));
        }
    }

    #[test]
    fn factors_of_three_levels_are_compared_with_their_first() {
        let design = Design::full(&[3, 2]).unwrap();
        let found = effects(&design, &[1.0, 2.0, 4.0, 1.0, 3.0, 8.0], 2);
        assert_eq!(
            found,
            named(&[("A", 1.5), ("A[3]", 5.0), ("B", 5.0 / 3.0), ("AB", 0.5), ("A[3]B", 2.0),])
        );
    }

    #[test]
    fn what_is_no_design_says_what_to_do() {
        let said = |design: Result<Design, DesignError>| design.unwrap_err().to_string();
        assert!(said(Design::full(&[])).contains("1 to 25 factors"));
        assert!(said(Design::full(&[2, 1])).contains("factor B"));
        assert!(said(Design::full(&[2; 13])).contains("take a fraction"));
        assert!(said(Design::fraction(25, &["Z=AB"])).contains("1 to 25"));
        for wrong in ["D", "D=", "E=AB", "D=AD", "D=AAB", "D=-", "D=ab", "=AB", "D=AB C"] {
            assert!(said(Design::fraction(3, &[wrong])).contains("is no generator"), "{wrong}");
        }
        assert!(said(Design::fraction(3, &["D=A"])).contains("factors A and D"));
        assert!(said(Design::fraction(3, &["D=AB", "E=-AB"])).contains("factors D and E"));
        let design = Design::full(&[2, 2]).unwrap();
        assert!(
            design.effects(&cells(&[1.0]), 1).unwrap_err().to_string().contains("4 runs and 1")
        );
    }
}
