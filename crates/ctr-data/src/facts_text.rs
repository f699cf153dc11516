//! Facts as aligned plain text.

use std::fmt;

use crate::{Facts, PartFacts, grouped};

/// Year of a time since 1970, to a day; nothing where there are no times.
pub(crate) fn year_of(time: i64, unit: &str) -> Option<i64> {
    let seconds = match unit {
        "seconds" => time,
        "milliseconds" => time / 1000,
        "minutes" => time.checked_mul(60)?,
        "hours" => time.checked_mul(3_600)?,
        "days" => time.checked_mul(86_400)?,
        _ => return None,
    };
    // Of the mean year of the calendar.
    Some(1970 + seconds.div_euclid(31_556_952))
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: String| writeln!(f, "{name:<22}{value}");
        writeln!(f, "{} ({})", self.dataset, self.title)?;
        row(f, "home page", self.home_page.clone())?;
        row(f, "licence", self.licence.clone())?;
        row(f, "label", self.label_rule.clone())?;
        row(f, "split", self.split_rule.clone())?;
        row(f, "rows in the log", grouped(self.raw_rows))?;
        row(f, "repeats dropped", grouped(self.repeated_rows))?;
        self.sampling.iter().try_for_each(|drawn| row(f, "drawn", drawn.clone()))?;
        if self.skipped_rows > 0 {
            row(f, "bad lines left out", grouped(self.skipped_rows))?;
        }
        row(f, "samples", grouped(self.rows))?;
        row(f, "users", if self.users == 0 { "none are named".to_owned() } else { grouped(self.users) })?;
        let listed = self.items_listed.map(|listed| format!(" of {} listed", grouped(listed)));
        row(f, "items", grouped(self.items) + &listed.unwrap_or_default())?;
        let (raw, kept) = (grouped(self.users_with_20_raw_rows), grouped(self.users_with_20_rows));
        if self.users > 0 {
            row(f, "users with >= 20 rows", format!("{raw} in the log, {kept} after dropping repeats"))?;
        }
        let rates = format!("{:.4} in the log, {:.4} of samples", self.raw_positive_rate, self.positive_rate);
        row(f, "positive rate", rates)?;
        let time = match self.time_unit.as_str() {
            "none" => "none: rows keep the order of the files".to_owned(),
            unit => {
                let years = [self.first_time, self.last_time].map(|time| year_of(time, unit));
                let years = match years {
                    [Some(first), Some(last)] => format!("; the years {first} to {last} if they are a clock's"),
                    _ => String::new(),
                };
                format!("{} to {} ({unit}{years})", self.first_time, self.last_time)
            }
        };
        row(f, "time", time)?;
        let empty = grouped(self.samples_without_history);
        row(f, "history", format!("{:.2} items on average, {empty} samples without", self.mean_history_length))?;
        if let Some(auc) = self.bayes_auc {
            row(f, "Bayes AUC on test", format!("{auc:.4}"))?;
        }
        self.fmt_parts(f)?;
        if self.users > 0 {
            self.fmt_local_ctr(f)?;
        }
        self.fmt_fields(f)?;
        writeln!(f, "\nsplit guard")?;
        for check in &self.guard {
            let verdict = if check.passed { "passed" } else { "FAILED" };
            writeln!(f, "  {verdict}  {}: {}", check.name, check.detail)?;
        }
        row(f, "\ndataset hash", self.dataset_hash.clone())?;
        row(f, "split hash", self.split_hash.clone())?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

impl Facts {
    fn fmt_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<12}{:>12}{:>10}{:>15}{:>15}", "part", "samples", "users", "positive rate", "unknown items")?;
        let part = |f: &mut fmt::Formatter<'_>, name: &str, part: &PartFacts| {
            let (rows, users) = (grouped(part.rows), grouped(part.users));
            let (rate, unknown) = (part.positive_rate, part.unknown_item_rate * 100.0);
            writeln!(f, "{name:<12}{rows:>12}{users:>10}{rate:>15.4}{unknown:>13.2} %")
        };
        part(f, "training", &self.train)?;
        part(f, "validation", &self.validation)?;
        part(f, "test", &self.test)
    }

    fn fmt_local_ctr(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = &self.local_ctr;
        let (users, one_class) = (grouped(local.users), grouped(local.one_class_users));
        writeln!(
            f,
            "\nlocal CTR of {users} users with >= {} training samples ({one_class} of one class)",
            local.min_samples
        )?;
        for name in ["mean", "sd", "min", "5 %", "25 %", "median", "75 %", "95 %", "max"] {
            write!(f, "{name:>8}")?;
        }
        writeln!(f)?;
        let quantiles = [local.p05, local.p25, local.median, local.p75, local.p95];
        for value in [local.mean, local.sd, local.min].into_iter().chain(quantiles).chain([local.max]) {
            write!(f, "{value:>8.4}")?;
        }
        writeln!(f)
    }

    fn fmt_fields(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.fields.iter().map(|field| field.name.len()).max().unwrap_or(0).max(5);
        writeln!(f, "\n{:<width$}{:>12}", "field", "ids")?;
        for field in &self.fields {
            let lists = match field.most_values {
                1 => String::new(),
                most => format!("  up to {most} values a sample"),
            };
            writeln!(f, "{:<width$}{:>12}{lists}", field.name, grouped(field.vocabulary_size))?;
        }
        Ok(())
    }
}
