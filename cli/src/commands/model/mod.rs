//! `rapport model`: which model scores, version by version.

mod place;
mod shown;

use super::Outcome;
use place::Where;
use rapport_core::bundle::ScoreInPage;
use rapport_core::model::CardWire;
use std::path::{Path, PathBuf};

/// Bring a model of your own, try it, make it the live one, and go back
///
/// A model is a file with a card. Files are Rapport's own (.rpm), ONNX (neural nets, and exports of
/// scikit-learn, LightGBM, XGBoost; tree ensembles become .rpm), or WebAssembly scorers (.wasm). The card
/// is JSON that says what the file does not: name, signals in the order of the columns, thresholds of the
/// bands, and a few typical rows that explanations compare with. A .rpm file needs none.
///
/// Each `add` makes a version; nothing scores with it until `promote`. Where a brought model fails on
/// somebody, the workspace's last promoted .rpm answers for that one call, and the answer says so.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport model add net.onnx --card card.json --url http://127.0.0.1:4400
  rapport model check net --url http://127.0.0.1:4400      (fits what is published? opens? how fast?)
  rapport model promote net --url http://127.0.0.1:4400    (a name stands for its newest version)
  rapport model list --dir data                            (the server must not run meanwhile)
  rapport model rollback --url http://127.0.0.1:4400

A card:
  {\"name\": \"net\",
   \"signals\": [{\"name\": \"pricing_views\", \"missing\": 0},
               {\"name\": \"channel\", \"kind\": \"category\", \"levels\": [\"ads\", \"mail\"]}],
   \"bands\": {\"not_below\": 0.2, \"qualified_from\": 0.6},
   \"background\": [[0, \"ads\"], [3, \"mail\"]]}

The secret key, of a developer, admin or owner, comes from RAPPORT_KEY or --key. docs/models.md says more.")]
pub struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(clap::Subcommand)]
enum Job {
    /// Keep a file as a new version, and say what is wrong with it or its card
    Add {
        /// The model: .rpm, .onnx or .wasm
        file: PathBuf,
        /// What the file does not say, as JSON; not for .rpm
        #[arg(long, value_name = "FILE")]
        card: Option<PathBuf>,
        /// Where it scores visitors of pages: `edge` (the default of .onnx and .wasm) on servers alone,
        /// `local` in the page too, where everybody can read it, `off` only in the backend
        #[arg(long, value_name = "WHERE", value_parser = score_in_page)]
        score_in_page: Option<ScoreInPage>,
        #[command(flatten)]
        place: Where,
    },
    /// Try a version against what is published, without making it live
    Check(Named),
    /// Print the versions, which is live, and what was
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Make a version the live one, and publish that
    Promote(Named),
    /// Make the model live again that was before, and publish that
    Rollback {
        #[command(flatten)]
        place: Where,
    },
}

#[derive(clap::Args)]
struct Named {
    /// A version's number, or a name for its newest version
    model: String,
    #[command(flatten)]
    place: Where,
}

pub fn run(args: Args) -> Outcome {
    match args.job {
        Job::Add { file, card, score_in_page, place } => {
            let bytes = read(&file)?;
            let card = card.as_deref().map(read_card).transpose()?;
            let added = place.open()?.add(card, score_in_page, bytes)?;
            shown::added(&added);
        }
        Job::Check(Named { model, place }) => {
            let checked = place.open()?.on(&model, "check")?;
            shown::checked(&checked)?;
        }
        Job::List { json, place } => {
            let models = place.open()?.list()?;
            if json { println!("{models:#}") } else { shown::list(&models) }
        }
        Job::Promote(Named { model, place }) => shown::moved(&place.open()?.on(&model, "promote")?),
        Job::Rollback { place } => shown::moved(&place.open()?.roll_back()?),
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

fn read_card(path: &Path) -> Result<CardWire, Box<dyn std::error::Error>> {
    serde_json::from_slice(&read(path)?).map_err(|error| {
        format!("{} is no card: {error}; `rapport model --help` shows one", path.display()).into()
    })
}

fn score_in_page(word: &str) -> Result<ScoreInPage, String> {
    serde_json::from_value(word.into()).map_err(|_| "it is `local`, `edge` or `off`".to_owned())
}
