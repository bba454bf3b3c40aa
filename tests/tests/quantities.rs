//! Quantities are read and printed as Kubernetes' own code does.

use std::str::FromStr as _;

use anyhow::{Result, ensure};
use datalab_policy::Quantity;
use datalab_tests::meaning;

#[test]
fn quantities_agree_with_go() -> Result<()> {
    let numbers = [
        "0",
        "1",
        "-1",
        "+2",
        "0.5",
        ".5",
        "1.",
        "12.345",
        "1.5",
        "0.000000001",
        "0.0000000001",
        "999",
        "1000",
        "1024",
        "2048",
        "1500",
        "9223372036854775807",
        "9223372036854775808",
        "00.10",
        "1_000",
        "0x10",
        "1.2.3",
        "1 ",
        " 1",
    ];
    let suffixes = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E3",
        "e-3", "e0", "K", "mi", "Mib", "e", "e1.5", "%",
    ];
    let texts: Vec<String> = numbers
        .iter()
        .flat_map(|number| suffixes.iter().map(move |suffix| format!("{number}{suffix}")))
        .collect();
    let Some(gos) = meaning::of_quantities(&texts)? else { return Ok(()) };
    let mut agreed = 0;
    for (text, go) in texts.iter().zip(gos) {
        let ours = Quantity::from_str(text);
        ensure!(ours.is_ok() == go.error.is_none(), "{text:?}: {ours:?}, Go says {go:?}");
        let (Ok(ours), Some(canonical), Some(decimal)) = (ours, go.canonical, go.decimal) else { continue };
        ensure!(ours == Quantity::from_str(&decimal)?, "{text:?} is {}, to Go {decimal}", ours.canonical());
        // Go gives some texts back as they came, and misprints some beyond its largest suffix (1000E as 1).
        ensure!(
            ours.canonical() == canonical || canonical == *text || Quantity::from_str(&canonical)? != ours,
            "{text:?} is printed {}, by Go {canonical}",
            ours.canonical()
        );
        agreed += 1;
    }
    ensure!(agreed > 200, "only {agreed} texts were compared");
    Ok(())
}
