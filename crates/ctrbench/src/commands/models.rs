//! `ctrbench models`.

use super::{print, print_json};
use crate::{cli::ModelsArgs, config::RunConfig, experiment::model_input, models, progress::Progress};
use anyhow::Result;
use ctr_nn::Kind;
use serde_json::json;

/// Lists the models of a configuration with their parameter counts on its dataset.
pub fn models(args: &ModelsArgs) -> Result<()> {
    let config = RunConfig::load(&args.config)?;
    let progress = Progress::new(1, args.output.quiet, args.output.no_progress);
    let dataset = ctr_data::load(&config.dataset, &|message| progress.line(message))?;
    let input = model_input(&dataset);
    let mut rows = Vec::new();
    for name in &config.models {
        let settings = &config.model[name];
        let model = models::build(name, settings, &input)?;
        let count = |kind| model.parameters().iter().filter(|p| p.kind == kind).map(|p| p.len() as u64).sum::<u64>();
        let source =
            models::MODELS.iter().find(|entry| settings["kind"].as_str() == Some(entry.name)).map(|e| e.source);
        rows.push(json!({
            "name": name,
            "embedding_parameters": count(Kind::Table),
            "dense_parameters": count(Kind::Dense),
            "source": source,
            "settings": settings,
        }));
    }
    if args.output.json {
        return print_json(&rows);
    }
    let mut text =
        format!("{:<10} {:>12} {:>10}  source ({} rows per table)\n", "model", "embedding", "dense", input.table_rows);
    for row in &rows {
        let text_of = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let count_of = |key: &str| row[key].as_u64().unwrap_or_default();
        text += &format!(
            "{:<10} {:>12} {:>10}  {}\n",
            text_of("name"),
            count_of("embedding_parameters"),
            count_of("dense_parameters"),
            text_of("source")
        );
    }
    print(&text)
}
