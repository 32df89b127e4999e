//! Real experiments, whose results are known: an e-mail test, and a shop's recommendations.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rapport_core::bandit::{Estimator, Logged, value_of};
use rapport_core::stats::{
    Arrivals, Difference, Side, Statistic, Sums, Verdict, check_split, compare, t_test,
    two_proportions,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[test]
fn hillstroms_e_mails_do_what_is_known_of_them() {
    let Some(data) = data("hillstrom") else { return };
    let file = data
        .join("Kevin_Hillstrom_MineThatData_E-MailAnalytics_DataMiningChallenge_2008.03.20.csv");
    let rows = rows(&file);
    assert_eq!(rows.len(), 64_000);
    let group = |segment: &str, column: &str| -> Sums {
        let of = rows.iter().filter(|row| row["segment"] == segment);
        Sums::of(of.map(|row| number(row, column)))
    };
    let rate = |segment: &str, column: &str| {
        let Sums { units, sum, .. } = group(segment, column);
        Sums::proportion(units, sum)
    };
    let none = "No E-Mail";
    for (segment, visit, conversion, spend) in [
        (
            "Mens E-Mail",
            ["0.0765896", "0.0699535", "0.0832256"],
            ["0.0068050", "0.0050002", "0.0086098"],
            ["0.769827", "0.485140", "1.054515"],
        ),
        (
            "Womens E-Mail",
            ["0.0452331", "0.0388938", "0.0515724"],
            ["0.0031111", "0.0014987", "0.0047234"],
            ["0.424412", "0.168957", "0.679868"],
        ),
    ] {
        for (column, printed) in [("visit", visit), ("conversion", conversion)] {
            let result = two_proportions(&rate(none, column), &rate(segment, column), 0.05);
            assert_eq!(shown(result.unwrap(), 7), printed, "{segment} {column}");
        }
        let [control, treatment] = [none, segment].map(|arm| Statistic::Mean(group(arm, "spend")));
        let effect = compare(&control, &treatment, Difference::Absolute).unwrap();
        let result = (effect.estimate, t_test(&effect, Side::Both, 0.05));
        assert_eq!(shown(result, 6), spend, "{segment} spend");
    }
    let arrivals = [none, "Mens E-Mail", "Womens E-Mail"]
        .map(|arm| Arrivals { visitors: group(arm, "visit").units, ..Arrivals::default() });
    let split = check_split(&arrivals, &[1.0; 3]).unwrap();
    assert_eq!(format!("{:.4} {:.3}", split.chi_squared, split.p_value), "0.2025 0.904");
}

#[test]
fn a_shops_bandit_is_worth_what_the_open_bandit_pipeline_says() {
    let Some(data) = data("obd") else { return };
    for (campaign, ips, snips, interval) in [
        ("all", "0.00455288", "0.00477583", Some(["0.001531", "0.009254"])),
        ("men", "0.00453356", "0.00460423", None),
    ] {
        let chances = rows(&data.join(format!("bts_action_dist_{campaign}.csv")));
        // The evaluated policy's chances of all items, by slot.
        let policy: Vec<Vec<f64>> = ["p_slot1", "p_slot2", "p_slot3"]
            .map(|slot| chances.iter().map(|row| number(row, slot)).collect())
            .to_vec();
        let rounds = rows(&data.join(format!("random/{campaign}/{campaign}.csv")));
        assert_eq!(rounds.len(), 10_000);
        let log: Vec<Logged> = rounds
            .iter()
            .map(|row| Logged {
                arm: number(row, "item_id") as usize,
                reward: number(row, "click"),
                propensity: number(row, "propensity_score"),
                policy: &policy[number(row, "position") as usize - 1],
                expected: &[],
            })
            .collect();
        let value = |estimator| format!("{:.8}", value_of(&log, estimator).unwrap().value);
        assert_eq!(
            (value(Estimator::Ips).as_str(), value(Estimator::Snips).as_str()),
            (ips, snips)
        );
        if let Some(interval) = interval {
            let parts: Vec<f64> =
                log.iter().map(|one| one.policy[one.arm] / one.propensity * one.reward).collect();
            assert_eq!(bootstrap(&parts).map(|end| format!("{end:.6}")), interval);
        }
    }
}

/// Estimate and interval with as many digits.
fn shown((estimate, verdict): (f64, Verdict), digits: usize) -> [String; 3] {
    let [low, high] = verdict.interval;
    [estimate, low, high].map(|figure| format!("{figure:.digits$}"))
}

/// The pipeline's interval: 10,000 bootstrap samples that NumPy's `RandomState(12345)` draws.
fn bootstrap(parts: &[f64]) -> [f64; 2] {
    let mut worth = vec![0.0; parts.len().next_power_of_two()];
    worth[..parts.len()].copy_from_slice(parts);
    let mut twister = Twister::new(12_345);
    let mask = worth.len() as u32 - 1;
    let mut means: Vec<f64> = (0..10_000)
        .map(|_| {
            let mut sum = 0.0;
            let mut drawn = 0;
            while drawn < parts.len() {
                let at = (twister.next() & mask) as usize;
                if at < parts.len() {
                    sum += worth[at];
                    drawn += 1;
                }
            }
            sum / parts.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|share| {
        let place = share * (means.len() - 1) as f64;
        let below = place.floor();
        let (low, high) = (means[below as usize], means[below as usize + 1]);
        low + (place - below) * (high - low)
    })
}

/// MT19937 (Matsumoto & Nishimura 1998).
struct Twister {
    state: [u32; 624],
    at: usize,
}

impl Twister {
    fn new(seed: u32) -> Twister {
        let mut state = [seed; 624];
        for at in 1..624 {
            let last = state[at - 1];
            state[at] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(at as u32);
        }
        Twister { state, at: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.at == 624 {
            for at in 0..624 {
                let joined =
                    (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % 624] & 0x7fff_ffff);
                let twisted = (joined >> 1) ^ ((joined & 1) * 0x9908_b0df);
                self.state[at] = self.state[(at + 397) % 624] ^ twisted;
            }
            self.at = 0;
        }
        let mut value = self.state[self.at];
        self.at += 1;
        value ^= value >> 11;
        value ^= (value << 7) & 0x9d2c_5680;
        value ^= (value << 15) & 0xefc6_0000;
        value ^ (value >> 18)
    }
}

type Row = BTreeMap<String, String>;

fn rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let wanted = |name: &str| !name.contains("affinity") && !name.contains("feature");
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            let pairs = header.iter().zip(record.iter()).filter(|(name, _)| wanted(name));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        })
        .collect()
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap()
}

fn data(set: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from("../../shared/data");
    let folder = std::env::var_os("RAPPORT_DATA").map_or_else(beside, PathBuf::from).join(set);
    if !folder.is_dir() {
        println!("SKIPPED real experiments: RAPPORT_DATA holds no {set}");
        return None;
    }
    Some(folder)
}
