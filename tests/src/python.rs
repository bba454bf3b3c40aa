//! Python environments that hold a JupyterHub and its KubeSpawner, in the versions that charts ship.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{cache, output, skip, tools};

/// The versions that a hub's image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hub {
    /// JupyterHub's.
    pub jupyterhub: &'static str,
    /// KubeSpawner's.
    pub kubespawner: &'static str,
    /// `OAuthenticator`'s, whose classes refuse what other versions ask for.
    pub oauthenticator: &'static str,
}

const Z2JH_3_1: Hub = Hub { jupyterhub: "4.0.2", kubespawner: "6.1.0", oauthenticator: "16.1.0" };
const Z2JH_3_2: Hub = Hub { jupyterhub: "4.1.6", kubespawner: "6.2.0", oauthenticator: "16.3.1" };
const Z2JH_4: Hub = Hub { jupyterhub: "5.5.0", kubespawner: "7.0.0", oauthenticator: "17.4.0" };
const Z2JH_NEXT: Hub = Hub { jupyterhub: "5.5.0", kubespawner: "7.1.0", oauthenticator: "17.4.0" };

impl Hub {
    /// All that charts ship, oldest first.
    pub const ALL: [Self; 4] = [Z2JH_3_1, Z2JH_3_2, Z2JH_4, Z2JH_NEXT];

    /// What a release of the JupyterHub chart ships, by the `Chart.Version` in the hub's Secret; for its
    /// newest line also what comes next.
    pub fn of_chart(version: &str) -> &'static [Self] {
        let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
        match (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) {
            (0..=2, _) | (3, 0 | 1) => &[Z2JH_3_1],
            (3, _) => &[Z2JH_3_2],
            (4, 4..) => &[Z2JH_4, Z2JH_NEXT],
            _ => &[Z2JH_4],
        }
    }

    /// The newest that a released chart ships.
    pub fn newest() -> Self {
        Z2JH_4
    }
}

/// The Python of an environment with these versions, made if need be.
///
/// `None` if it would have to be made and `DATALAB_OFFLINE` is set.
pub fn hub_env(hub: Hub) -> Result<Option<PathBuf>> {
    let constraints = crate::root().join("tests/oracle/constraints.txt");
    let packages = [
        format!("jupyterhub=={}", hub.jupyterhub),
        format!("jupyterhub-kubespawner=={}", hub.kubespawner),
        format!("oauthenticator=={}", hub.oauthenticator),
        String::from("jupyterhub-firstuseauthenticator"),
        String::from("jupyterhub-ltiauthenticator"),
        String::from("jupyterhub-nativeauthenticator"),
        String::from("jupyterhub-tmpauthenticator"),
    ];
    let name = format!("hub-{}-{}", hub.jupyterhub, hub.kubespawner);
    let ingredients = [packages.join(" ").into_bytes(), fs::read(&constraints)?];
    let made = cache::folder("python", &name, &ingredients, Duration::from_secs(25), |folder| {
        make(folder, &constraints, &packages)
    });
    match made {
        Ok(folder) => Ok(Some(folder.join("bin/python"))),
        Err(_) if tools::offline() => {
            skip(&format!("the Python environment {name} is not made yet, and DATALAB_OFFLINE is set"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn make(folder: &Path, constraints: &Path, packages: &[String]) -> Result<()> {
    if tools::offline() {
        bail!("DATALAB_OFFLINE is set");
    }
    output(Command::new("python3.11").args(["-m", "venv"]).arg(folder), b"")
        .context("hubs run on Python 3.11: install python3.11 with its venv module")?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint"])
        .arg(constraints)
        .args(packages);
    output(&mut pip, b"").context("pip cannot install the pinned versions")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chart_gets_the_versions_it_ships() {
        for (chart, jupyterhub, kubespawner) in [
            ("3.1.0", "4.0.2", "6.1.0"),
            ("3.2.1", "4.1.6", "6.2.0"),
            ("3.3.8", "4.1.6", "6.2.0"),
            ("4.0.0", "5.5.0", "7.0.0"),
            ("4.3.5-0.dev.git.7012.h1", "5.5.0", "7.0.0"),
            ("5.0.0", "5.5.0", "7.0.0"),
        ] {
            let shipped: Vec<_> =
                Hub::of_chart(chart).iter().map(|h| (h.jupyterhub, h.kubespawner)).collect();
            assert_eq!(shipped, [(jupyterhub, kubespawner)], "{chart}");
        }
        assert_eq!(Hub::of_chart("4.4.0"), [Z2JH_4, Z2JH_NEXT]);
    }
}
