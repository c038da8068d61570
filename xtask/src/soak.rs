//! `soak`: everything that hunts for lost requests, one after the other, for as long as is wished.

mod counts;
mod goals;
mod options;
mod page;
mod part;
mod run;
mod summary;

use std::process::ExitCode;

use crate::bench::interruption;

pub(crate) use options::Options;

use summary::Summary;

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if let Some(page) = &options.page {
        page::check(page)?;
    }
    let summary = if options.show.is_empty() {
        interruption::watch()?;
        let summary = run::all(options)?;
        summary.write(&options.output)?;
        eprintln!("the record: {}", options.output.display());
        summary
    } else {
        Summary::read_all(&options.show)?
    };
    match options.json {
        true => println!("{}", summary.to_json()?),
        false => println!("{}", summary.text()),
    }
    if let Some(page) = &options.page {
        page::rewrite(page, &summary)?;
    }
    Ok(ExitCode::from(u8::from(!summary.is_good())))
}
